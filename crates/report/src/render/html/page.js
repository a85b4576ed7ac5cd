"use strict";
// Tables sort and filter; a chosen number tells its source; files are saved. All of it comes from the page itself.
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// What is shown on demand is compressed, and unpacked once.
const unpack = async () => {
  const packed = new Blob([bytes(document.getElementById("archive").textContent.trim())]);
  const plain = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(plain).text());
};
const archive = unpack();
const dialog = document.getElementById("source");

const element = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};

// Keys and values; a value that has keys of its own becomes a list in the list.
const list = (into, facts) => {
  for (const [name, value] of facts) {
    const text = element("dd");
    if (value !== null && typeof value === "object") {
      const inner = element("dl");
      list(inner, Object.entries(value));
      text.append(inner);
    } else {
      text.textContent = value === null ? "not set" : value;
    }
    into.append(element("dt", name), text);
  }
};

const show = (source, steps) => {
  dialog.querySelector("h3").textContent = source.title;
  const facts = dialog.querySelector("dl");
  facts.replaceChildren();
  list(facts, source.facts);
  const from = dialog.querySelector(".steps");
  from.replaceChildren();
  for (const id of source.steps) {
    const step = steps[id];
    const details = element("details");
    details.append(element("summary", step ? `${step.kind} ${id}: ${step.name}, seed ${step.seed}` : id));
    if (step) {
      const own = element("dl");
      list(own, Object.entries(step));
      details.append(own);
    }
    from.append(details);
  }
  dialog.showModal();
  dialog.scrollTop = 0;
};

const save = (name, blob) => {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  const { source, file, figure } = button?.dataset ?? {};
  if (source) {
    const { sources, steps } = await archive;
    show(sources[source], steps);
  } else if (file) {
    const content = (await archive).files[file];
    save(file, new Blob([content.base64 ? bytes(content.base64) : content]));
  } else if (figure) {
    const svg = button.closest("figure").querySelector("svg");
    save(figure, new Blob([svg.outerHTML], { type: "image/svg+xml" }));
  }
  // The backdrop belongs to the dialog.
  if (event.target === dialog) dialog.close();
});

// The counts of a rate, when it is pointed at.
document.addEventListener("pointerover", async (event) => {
  const button = event.target.closest("button[data-source]");
  if (!button || button.title) return;
  const [fact] = (await archive).sources[button.dataset.source].facts;
  if (fact) button.title = `${fact[0]}: ${fact[1]}`;
});

const journal = document.getElementById("journal");
journal.addEventListener("toggle", async () => {
  const text = journal.querySelector("pre");
  text.textContent ||= JSON.stringify((await archive).journal, null, 2);
});

// Numbers in the order of numbers, before words.
const value = (row, column) => {
  const text = row.cells[column]?.textContent.trim() ?? "";
  const number = Number.parseFloat(text.replace("−", "-"));
  return { number: Number.isNaN(number) ? Infinity : number, text };
};
const compare = (a, b) => (a.number === b.number ? a.text.localeCompare(b.text) : a.number - b.number);

// Rows are sorted inside their block.
const sort = (table, head) => {
  const down = head.getAttribute("aria-sort") === "ascending";
  const column = Number(head.dataset.sorts);
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => row.className !== "name");
    rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
    body.append(...rows);
  }
};

// A row stays if it, or the name of its block, has the words.
const filter = (table, words) => {
  const has = (row) => row.textContent.toLowerCase().includes(words);
  for (const body of table.tBodies) {
    const [name] = body.getElementsByClassName("name");
    const rows = [...body.rows].filter((row) => row !== name);
    const all = name !== undefined && has(name);
    for (const row of rows) row.hidden = !all && !has(row);
    if (name) name.hidden = rows.every((row) => row.hidden);
  }
};

// Of a table with a row for each setting, one setting is shown at a time: 1e-8 at first, where it is one.
const choose = (table, box) => {
  const column = Number(box.dataset.choose);
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => row.className !== "name");
  const all = [...new Set(rows.map((row) => row.cells[column].textContent))];
  const select = element("select");
  for (const name of ["every setting", ...all]) select.append(element("option", name));
  const label = element("label", "Rank samples at ");
  label.append(select);
  const apply = () => {
    const one = select.selectedIndex > 0;
    for (const row of rows) row.hidden = one && row.cells[column].textContent !== select.value;
    // What all rows have in common needs no column.
    for (const head of table.tHead.querySelectorAll(`[data-sorts="${column}"]`)) head.hidden = one;
    for (const row of rows) row.cells[column].hidden = one;
    cue(box);
  };
  select.addEventListener("change", apply);
  select.selectedIndex = 1 + Math.max(0, all.findIndex((name) => name.endsWith("1e-8")));
  box.previousElementSibling.append(label);
  apply();
};

// A table that is wider than its box says so until its last column is in sight.
const cue = (box) => {
  const more = box.scrollWidth - box.clientWidth - box.scrollLeft > 4;
  box.classList.toggle("more", more);
  const words = box.nextElementSibling?.className === "cue" ? box.nextElementSibling : element("p");
  words.className = "cue";
  words.textContent = "scroll for more columns →";
  words.hidden = box.scrollWidth - box.clientWidth <= 4;
  if (!words.isConnected && !words.hidden) box.after(words);
};

const prepare = (table) => {
  const box = table.closest(".scroll");
  box.addEventListener("scroll", () => cue(box), { passive: true });
  if (box.dataset.choose) choose(table, box);
  cue(box);
  for (const head of table.querySelectorAll("th[data-sorts]")) {
    const button = element("button", head.lastElementChild.textContent);
    button.type = "button";
    button.addEventListener("click", () => sort(table, head));
    head.lastElementChild.replaceChildren(button);
  }
  if (table.rows.length < 12) return;
  const input = element("input");
  input.type = "search";
  input.placeholder = "filter rows";
  input.setAttribute("aria-label", `Filter the rows of ${table.caption.textContent}`);
  input.addEventListener("input", () => filter(table, input.value.trim().toLowerCase()));
  if (!box.dataset.choose) box.before(input);
};

for (const table of document.querySelectorAll("table")) prepare(table);
addEventListener("resize", () => document.querySelectorAll(".scroll:has(table)").forEach(cue));

// Further tables come out of the archive when they are opened.
for (const details of document.querySelectorAll("details[data-table]")) {
  const open = async () => {
    details.insertAdjacentHTML("beforeend", (await archive).tables[details.dataset.table]);
    prepare(details.querySelector("table"));
  };
  if (details.open) open();
  else details.addEventListener("toggle", open, { once: true });
}
