"""Collects runs of configs/keys.yaml with many keys in one table per method, and their counts.

    python scripts/keys.py RESULTS results/curated/keys-desk

Standard library only. Reads RESULTS/keys-*/table3.csv; writes keys.md and keys.csv.
"""

import argparse
import csv
from pathlib import Path

METHODS = {"ours": "Ours", "dbi": "DBI", "aid": "AID"}
RATES = [1e-10, 1e-9, 1e-8, 1e-7]
KEPT = ["generator", "samples_made", "samples_asked", "median_margin", "condition", "lr", "hits", "of", "low95", "high95", "runs", "balance_runs"]
NOTES = """
- Desk scale. Pair rates in % after fine-tuning, by learning rate; Ours judges its own pairs, the others pairs of two samples drawn at random. Counts and intervals are in keys.csv.
- the first: the first head of the key, whatever noise looks like to it; balanced: the first that gives a tenth of noise images each label.
- † in at least one run all labels coincide after the attack, and did not before: of that run the rate is the balance of the reference labels, not a sensitivity.
"""


def read(results):
    """Yields for each run the key, the kind of head and the rows with pair rates."""
    for folder in sorted(results.glob("keys-*")):
        key, *balanced = folder.name.removeprefix("keys-").split("-")
        with open(folder / "table3.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["measure"] == "pair" and row["of"]]
        yield key, "balanced" if balanced else "the first", rows


def cells(rows, method):
    """The cells of a method: samples made, their median |margin|, and the pair rate at each learning rate in percent."""
    asked = rows[0]["samples_asked"]
    rows = [row for row in rows if row["generator"] == method]
    if not rows:
        return [f"0/{asked}", "–", *("–" for _ in RATES)]
    attacked = {float(row["lr"]): row for row in rows if row["condition"] == "finetune"}
    return [f"{rows[0]['samples_made']}/{asked}", f"{float(rows[0]['median_margin']):.1g}", *(rate(attacked[lr]) for lr in RATES)]


def rate(row):
    """The pair rate in percent. A dagger marks a rate that only shows the balance of the labels; own pairs have one image of each label."""
    dagger = "†" if row["own_pairs"] == "false" and int(row["balance_runs"]) > 0 else ""
    return f"{100 * int(row['hits']) / int(row['of']):.1f}{dagger}"


def table(runs, method):
    heading = ["key", "head", "made/asked", "median \\|margin\\|", *(f"{lr:g}".replace("e-0", "e-") for lr in RATES)]
    yield heading
    yield [":---"] * 2 + ["---:"] * (len(heading) - 2)
    for kind in ["the first", "balanced"]:
        for key, head, rows in runs:
            if head == kind:
                yield [key, head, *cells(rows, method)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    runs = list(read(chosen.results))
    if not runs:
        parser.error(f"{chosen.results} has no keys-*/table3.csv; run configs/keys.yaml first, as its head says")
    chosen.out.mkdir(parents=True, exist_ok=True)
    lines = ["# Table III in short, by key (desk scale)"]
    for method, title in METHODS.items():
        lines += [f"\n## {title}\n", *(f"| {' | '.join(row)} |" for row in table(runs, method))]
    (chosen.out / "keys.md").write_text("\n".join(lines) + "\n" + NOTES)
    with open(chosen.out / "keys.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["key", "head", *KEPT])
        out.writerows([key, head, *(row[name] for name in KEPT)] for key, head, rows in runs for row in rows)


if __name__ == "__main__":
    main()
