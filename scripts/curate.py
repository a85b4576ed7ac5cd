"""Takes the results of configs/all.yaml into the repository: tables, figures and records, and the first table of each into the README of its
experiment.

    runner configs/all.yaml --data DIR --out OUT
    python scripts/curate.py desk OUT --data DIR

    runner configs/all.yaml --data DIR --out OUT --scale paper
    python scripts/curate.py paper OUT --data DIR

Desk scale goes to results/curated/all-desk. Paper scale goes to results/paper with the records of its store, of which `runner table
configs/all.yaml --scale paper --out results/paper` makes the tables again. Weights and samples stay where they are: samples of `validset` are images of data sets.
"""

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = ["table1", "table2", "table3", "table4", "table5", "figure3", "dispersion"]


def copy(source, target, replacements):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".png":
        shutil.copy(source, target)
        return
    text = source.read_text()
    for path, name in replacements:
        text = text.replace(path, name)
    target.write_text(text)


def first_table(text):
    """The first table of a document, without rows that were not run."""
    lines = iter(text.splitlines())
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append(line)
        elif table:
            break
    return "\n".join(line for line in table if "not run" not in line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", choices=["desk", "paper"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="DIR")
    arguments = parser.parse_args()
    scale, out = arguments.scale, arguments.out
    replacements = [(arguments.data, "DIR"), (str(out), "results")]

    folder = ROOT / ("results/curated/all-desk" if scale == "desk" else "results/paper/all")
    shutil.rmtree(folder, ignore_errors=True)
    for source in sorted((out / "all").iterdir()):
        # The points of slices and the sheets are many megabytes, and the sheets of `validset` are images of data sets: one of each is shown.
        large = source.name.startswith(("figure1-", "samples-")) and not source.name.startswith(("figure1-fashion", "samples-fashion-mnist-resnet18-ours"))
        if large or source.name in ("figure1.csv", "convergence.csv") or source.suffix not in (".md", ".svg", ".json", ".csv"):
            continue
        copy(source, folder / source.name, replacements)
    # What the repository's first page shows.
    copy(out / "all" / "table3.png", folder / "table3.png", replacements)
    if scale == "paper":
        store = ROOT / "results/paper/store"
        shutil.rmtree(store, ignore_errors=True)
        for source in (out / "store").rglob("*.json"):
            if "state" not in source.parts:
                copy(source, store / source.relative_to(out / "store"), replacements)

    for experiment in EXPERIMENTS:
        readme = ROOT / "experiments" / experiment / "README.md"
        table = first_table((folder / f"{experiment}.md").read_text())
        between = rf"(<!-- {scale} -->\n).*?(<!-- end of {scale} -->)"
        text, found = re.subn(between, lambda match: f"{match[1]}{table}\n{match[2]}", readme.read_text(), flags=re.S)
        if found:
            readme.write_text(text)


if __name__ == "__main__":
    main()
