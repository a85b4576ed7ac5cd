"""Compares Brink with PyTorch on the CPU, in turns, in one run, on the same weights.

    pip install -r scripts/peers/requirements.txt
    python scripts/peers/compare.py                    # everything: about 8 minutes on two cores
    python scripts/peers/compare.py 'ours/resnet18*'   # some rows, printed only

Writes experiments/engine/measured.csv and the table in experiments/engine/README.md. In a round each side
works in turn while the other is idle. A ratio is the ratio of a round's medians; its spread is over the rounds.
"""

import csv
import fnmatch
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# (work, model, images, size, repetitions per round, minimum ratio, target ratio)
ROWS = [
    ("ours", "resnet18", 150, 32, 10, 1.8, 2.5),
    ("ours", "resnet18", 300, 32, 6, 1.8, 2.5),
    ("ours", "vgg16", 150, 40, 2, 1.1, 1.5),
    ("ours", "resnet152", 16, 128, 2, 1.0, 1.5),
    ("train", "resnet18", 128, 32, 6, 1.0, 1.5),
    ("query", "resnet18", 10000, 32, 1, 1.5, 2.5),
    ("query", "resnet18", 1, 32, 100, 1.0, 2.0),
]
ROUNDS = int(os.environ.get("ROUNDS", 5))
# Seconds.
SETTLE = 0.5


class Side:
    """A process that answers requests, one line each."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def ask(self, *words):
        # Wait: the other side's threads spin for a while after their last work.
        time.sleep(SETTLE)
        print(*words, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the process ended without an answer to {words}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_server():
    """The PyTorch process. A request is `work model images size weights repetitions frozen channels_last`, `flops model size weights`,
    `gemm` (the seconds of a 2048^3 matrix product, as an upper limit for the throughput) or `version`."""
    import torch

    import torch_side

    key = once = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "flops":
            print(json.dumps(torch_side.flops(words[1], words[3], int(words[2]))), flush=True)
            continue
        if words[0] == "gemm":
            a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
            print(json.dumps(min(torch_side.timed(lambda: a @ b, 5))), flush=True)
            continue
        if words[0] == "version":
            print(json.dumps([torch.__version__, torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()]), flush=True)
            continue
        work, model, images, size, weights, repetitions, frozen, channels_last = words
        if key != (wanted := words[:5] + words[6:]):
            once = None
            torch.manual_seed(0)
            way = (frozen == "True", channels_last == "True")
            once = torch_side.prepare(work, model, int(images), int(size), weights, way)
            key = wanted
        seconds = torch_side.timed(once, int(repetitions))
        status = Path("/proc/self/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024
        print(json.dumps({"seconds": seconds, "peak_memory": peak}), flush=True)


def brink():
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    build = ["cargo", "build", "--release", "--locked", "-p", "generators", "--example", "peer"]
    subprocess.run(build, cwd=ROOT, check=True)
    return Side([f"{target}/release/examples/peer"])


def torch():
    return Side([sys.executable, __file__, "--torch"])


def compare(row, folder):
    work, model, images, size, repetitions, must, aim = row
    import torch_side

    weights = f"{folder}/{model}.safetensors"
    # New processes for each row, so that the peak memory belongs to the row.
    ours, theirs = brink(), torch()
    # Both processes must be running before the first measurement.
    theirs.ask("version")
    if not Path(weights).exists():
        ours.ask("draw", model, weights)
    ways = torch_side.WAYS[work]
    # For each way, the median seconds by round.
    samples = {way: {} for way in ways}
    median = lambda way: statistics.median(samples[way].values())
    memory, limit, own = {}, [], []
    for number in range(ROUNDS):
        a = ours.ask(work, model, images, size, weights, repetitions)
        own.append(statistics.median(a["seconds"]))
        # The first two rounds measure every way, later rounds only the best one.
        asked = ways if number < 2 else [min(ways, key=median)]
        for way in asked:
            b = theirs.ask(work, model, images, size, weights, repetitions, *way)
            samples[way][number] = statistics.median(b["seconds"])
            memory.setdefault("theirs", b["peak_memory"])
        memory.setdefault("ours", a["peak_memory"])
        limit.append(theirs.ask("gemm"))
    best = min(ways, key=median)
    ratios = [seconds / own[number] for number, seconds in samples[best].items()]
    one = theirs.ask("flops", model, size, weights)
    passes = {"ours": 2, "train": 3, "query": 1}[work]
    gflops = one * images * passes / 1e9
    peak = 2 * 2048**3 / min(limit) / 1e9
    ours.close()
    theirs.close()
    ms = lambda seconds: round(1000 * seconds, 3)
    named = {(False, False): "as written", (True, False): "frozen", (True, True): "frozen, channels_last", (False, True): "channels_last"}
    if work == "query":
        named = {(True, False): "inference", (True, True): "inference, channels_last"}
    return {
        "work": work,
        "model": model,
        "images": images,
        "size": size,
        "brink_ms": ms(statistics.median(own)),
        "pytorch_ms": ms(median(best)),
        "pytorch_way": named[best],
        "pytorch_all_ms": "; ".join(f"{named[way]} {ms(median(way))}" for way in ways),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
        "rounds": len(ratios),
        "must": must,
        "aim": aim,
        "brink_gflops": round(gflops / statistics.median(own), 1),
        "pytorch_gflops": round(gflops / median(best), 1),
        "gemm_gflops": round(peak, 1),
        "brink_peak_mib": memory["ours"] >> 20,
        "pytorch_peak_mib": memory["theirs"] >> 20,
    }


def table(rows):
    lines = [
        "| work | Brink ms | PyTorch ms (best way) | ratio (spread) | must / aim | GFLOP/s Brink, PyTorch, gemm | peak MiB Brink, PyTorch |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        what = {"ours": "stage-1 iteration", "train": "training step", "query": "logits"}[r["work"]]
        lines.append(
            f"| {what}, {r['model']}, {r['images']} x 3x{r['size']}x{r['size']} | {r['brink_ms']} | {r['pytorch_ms']} ({r['pytorch_way']}) | "
            f"**{r['ratio']}** ({r['ratio_low']} to {r['ratio_high']}) | {r['must']} / {r['aim']} | "
            f"{r['brink_gflops']}, {r['pytorch_gflops']}, {r['gemm_gflops']} | {r['brink_peak_mib']}, {r['pytorch_peak_mib']} |"
        )
    return "\n".join(lines)


def main(patterns):
    rows = [row for row in ROWS if any(fnmatch.fnmatch("/".join(map(str, row[:4])), p) for p in patterns or ["*"])]
    if not rows:
        raise SystemExit(f"no row matches {patterns}; rows are " + ", ".join("/".join(map(str, row[:4])) for row in ROWS))
    version, threads, capability = (side := torch()).ask("version")
    side.close()
    print(f"PyTorch {version}, {threads} threads, {capability}, {platform.machine()}")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            measured.append(compare(row, folder))
            print(table(measured).splitlines()[-1], flush=True)
    if not patterns:
        head = f"PyTorch {version} ({capability}) and Brink, {threads} threads each, {ROUNDS} rounds.\n\n"
        write("measured", measured, head + table(measured))


def write(name, rows, text):
    """Writes the rows to experiments/engine/<name>.csv, and `text` between the marks of that name in the README there."""
    out = ROOT / "experiments" / "engine"
    out.mkdir(parents=True, exist_ok=True)
    with open(out / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    readme, marks = out / "README.md", (f"<!-- {name} -->", f"<!-- end of {name} -->")
    whole = readme.read_text() if readme.exists() else ""
    if marks[0] not in whole:
        whole += "\n".join(marks) + "\n"
    before, rest = whole.split(marks[0])
    readme.write_text(before + marks[0] + "\n" + text + "\n" + marks[1] + rest.split(marks[1])[1])


if __name__ == "__main__":
    torch_server() if sys.argv[1:] == ["--torch"] else main(sys.argv[1:])
