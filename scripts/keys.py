"""Puts the runs of configs/keys.yaml with many keys side by side, as Markdown.

    python scripts/keys.py results

Standard library only. Reads results/keys-*/table3.csv.
"""

import argparse
import csv
from pathlib import Path

METHODS = {"dbi": "DBI", "aid": "AID", "ours": "Ours"}
RATES = [1e-10, 1e-9, 1e-8, 1e-7]


def cells(rows, method):
    """A method's samples, their median distance from the boundary, and the pair rate at each learning rate, in percent."""
    rows = [row for row in rows if row["generator"] == method and row["measure"] == "pair"]
    attacked = {float(row["lr"]): row for row in rows if row["condition"] == "finetune" and row["of"]}
    if not attacked:
        return ["none", "–", *("–" for _ in RATES)]
    made = f"{rows[0]['samples_made']}/{rows[0]['samples_asked']}"
    return [made, f"{float(rows[0]['median_margin']):.1g}", *(rate(attacked[lr]) for lr in RATES)]


def rate(row):
    """With a dagger where it is the share of a label: random pairs, all of whose samples had one label afterwards."""
    dagger = "†" if row["own_pairs"] == "false" and row["same_label_runs"] == row["runs"] else ""
    return f"{100 * int(row['hits']) / int(row['of']):.1f}{dagger}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    results = parser.parse_args().results
    for method, title in METHODS.items():
        print(f"\n{title}\n")
        print("| key | head | samples | median \\|margin\\| |", " | ".join(f"{lr:g}" for lr in RATES), "|")
        print("| :--- | :--- | ---: | ---: |", " | ".join("---:" for _ in RATES), "|")
        for folder in sorted(results.glob("keys-*")):
            number, *balanced = folder.name.removeprefix("keys-").split("-")
            with open(folder / "table3.csv") as file:
                rows = list(csv.DictReader(file))
            head = "balanced" if balanced else "the first"
            print("|", " | ".join([number, head, *cells(rows, method)]), "|")


if __name__ == "__main__":
    main()
