"use strict";
// The one thing the page does: a chosen number tells what it rests on.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const sources = read("sources");
const steps = read("steps");
const dialog = document.getElementById("source");

const list = (into, facts) => {
  for (const [name, value] of facts) {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = typeof value === "object" ? JSON.stringify(value) : value;
    into.append(term, text);
  }
};

const show = (source) => {
  dialog.querySelector("h3").textContent = source.title;
  const facts = dialog.querySelector("dl");
  facts.replaceChildren();
  list(facts, source.facts);
  const from = dialog.querySelector(".steps");
  from.replaceChildren();
  for (const id of source.steps) {
    const step = steps[id];
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = step ? `${step.kind} ${id}: ${step.name}, seed ${step.seed}` : id;
    details.append(summary);
    if (step) {
      const facts = document.createElement("dl");
      list(facts, Object.entries(step));
      details.append(facts);
    }
    from.append(details);
  }
  dialog.showModal();
  dialog.scrollTop = 0;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-source]");
  if (button) show(sources[button.dataset.source]);
  // The backdrop belongs to the dialog.
  if (event.target === dialog) dialog.close();
});
