"""Copies the results of a grid into the repository: tables, figures and records. Also updates the tables in the READMEs of experiments.

    runner configs/all.yaml --data DIR --out OUT          # absolute paths: they are replaced in the texts
    python scripts/curate.py all desk OUT --data DIR

    runner configs/all.yaml --data DIR --out OUT --scale paper
    python scripts/curate.py all paper OUT --data DIR

Reports without rows are left out. A scale other than the paper's goes to results/curated/GRID-SCALE. Paper scale goes to results/paper, with the records of its store: in a copy of
them, `runner table configs/GRID.yaml --scale paper` makes the tables again. Weights and samples are not copied: samples of `validset` are images of data sets.
In a README or a file of results/studies, `<!-- table of FILE -->` and `<!-- end of table -->` enclose the first table of a file under results.
"""

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The figure of a slice and the sheet of samples that are kept at each scale.
SHOWN = {
    "desk": ("figure1-fashion", "samples-fashion-mnist-resnet18-ours"),
    "paper": ("figure1-cifar10-jpeg-resnet18", "samples-cifar10-jpeg-resnet18-ours"),
}


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
    """The first table of a document, without the rows that were not run."""
    lines = iter(text.splitlines())
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append(line)
        elif table:
            break
    return "\n".join(line for line in table if "not run" not in line)


def show_tables():
    """Updates the tables in the READMEs of all experiments and in their studies."""
    between = re.compile(r"(<!-- table of (\S+) -->\n).*?(<!-- end of table -->)", flags=re.S)

    def fill(match):
        file = ROOT / "results" / match[2]
        return f"{match[1]}{first_table(file.read_text())}\n{match[3]}" if file.exists() else match[0]

    for text in [*ROOT.glob("experiments/*/README.md"), *ROOT.glob("results/studies/*.md")]:
        text.write_text(between.sub(fill, text.read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid")
    parser.add_argument("scale", help="desk, paper, or a scale of the grid's own")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    grid, scale, out, data = arguments.grid, arguments.scale, arguments.out, arguments.data
    # Paths are replaced everywhere in a text. A relative path of one word could match in the middle of a sentence.
    if any(path and not path.is_absolute() for path in [out, data]):
        parser.error("give OUT and --data as absolute paths, as in the runner's command")
    replacements = [(f" --out {out}", ""), (str(out), "results")] + ([(str(data), "DIR")] if data else [])

    folder = ROOT / "results" / (f"paper/{grid}" if scale == "paper" else f"curated/{grid}-{scale}")
    shutil.rmtree(folder, ignore_errors=True)
    empty = [table.stem for table in (out / grid).glob("*.md") if len(first_table(table.read_text()).splitlines()) <= 2]
    for source in sorted((out / grid).iterdir()):
        if source.stem in empty:
            continue
        # Only one slice and one sheet are kept: all would take many megabytes, and sheets of `validset` show images of data sets.
        large = source.name.startswith(("figure1-", "samples-")) and not source.name.startswith(SHOWN.get(scale, ()))
        if large or source.name in ("figure1.csv", "convergence.csv") or source.suffix not in (".md", ".svg", ".json", ".csv"):
            continue
        copy(source, folder / source.name, replacements)
    if (grid, scale) == ("all", "desk"):
        # The figure in the repository's README.
        copy(out / grid / "table3.png", folder / "table3.png", replacements)
    if scale == "paper":
        for source in (out / "store").rglob("*.json"):
            if "state" not in source.parts:
                copy(source, ROOT / "results/paper/store" / source.relative_to(out / "store"), replacements)
    show_tables()


if __name__ == "__main__":
    main()
