#!/usr/bin/env python3
"""A short table of the JSON lines that `device-check` gathers: elements that differ from the CPU's, and times beside PyTorch's best.

    python scripts/cuda/summary.py FILE
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.startswith("{")]
    for row in rows:
        if "check" in row:
            print(f"{row['check']}{row.get('in', '')} {row['images']}x{row['size']}: {row['differ']} of {row['elements']} elements differ from the CPU's")
    best = {}
    for row in rows:
        if row.get("peer") == "pytorch" and row.get("median_ms"):
            name = ("graph" if row["graph"] else "compiled" if row["compiled"] else "eager") + (", TF32" if row["tf32"] else ", f32")
            key = (row["work"], row["model"], row["images"])
            ways = best.setdefault(key, {})
            ways[name] = min(row["median_ms"], ways.get(name, row["median_ms"]))
    for row in rows:
        if "first_ms" in row:
            ways = best.get((row["work"], row["model"], row["images"]), {})
            peers = "; ".join(f"PyTorch {name} {ms:.3f} ms = {ms / row['median_ms']:.2f}x" for name, ms in sorted(ways.items()))
            print(f"{row['work']:13s}{row['model']:10s}{row['images']:6d}: {row['median_ms']:9.3f} ms (first {row['first_ms']:.0f}) {peers}")


main()
