"""Profiles Brink with `perf` on the works of compare.py.

    python scripts/peers/where.py    # a minute and a half; needs perf and the rights to use it

Writes experiments/engine/profile.txt: for each work, the share of samples in each group of functions.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# (work, model, images, size, repetitions, title)
WORKS = [
    ("ours", "resnet18", 150, 32, 200, "stage-1 iteration, resnet18, 150 x 3x32x32"),
    ("ours", "resnet18", 300, 32, 100, "stage-1 iteration, resnet18, 300 x 3x32x32"),
    ("ours", "vgg16", 150, 40, 10, "stage-1 iteration, vgg16, 150 x 3x40x40"),
    ("ours", "resnet152", 16, 128, 10, "stage-1 iteration, resnet152, 16 x 3x128x128"),
    ("train", "resnet18", 128, 32, 80, "training step, resnet18, 128 x 3x32x32"),
    ("query", "resnet18", 10000, 32, 6, "logits, resnet18, 10000 x 3x32x32"),
]

# A function belongs to the first group whose pattern matches its name.
GROUPS = [
    (r"kernel::isa::\w+::tile", "products (tile), with what follows them in registers"),
    (r"kernel::isa::\w+::outer", "weight gradient (outer)"),
    (r"kernel::isa::\w+::patch", "input gradient of the first layer (patch)"),
    (r"gemm::", "tiles: rows, prefetch, sharing out; packing of weights"),
    (r"vectorised", "passes over maps: pooling, batch statistics, optimiser"),
    (r"memmove|memset|memcpy", "copies and zeros"),
    (r"page|folio|\[k\]", "kernel: fresh pages (mostly at the start), waiting"),
]


def shares(peer, request):
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        record = ["perf", "record", "-o", data, "-F", "499", peer]
        subprocess.run(record, input=request, text=True, check=True, capture_output=True)
        report = ["perf", "report", "-i", data, "--no-children", "--stdio", "-F", "overhead,symbol"]
        text = subprocess.run(report, text=True, check=True, capture_output=True).stdout
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*([0-9.]+)%\s+(.*)", line)
        if match:
            name = next((name for pattern, name in GROUPS if re.search(pattern, match[2])), "other: scheduling, candle")
            found[name] = found.get(name, 0.0) + float(match[1])
    return found


def main():
    build = ["cargo", "build", "--release", "--locked", "-p", "generators", "--example", "peer"]
    subprocess.run(build, cwd=ROOT, check=True)
    peer = f"{os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')}/release/examples/peer"
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for work, model, images, size, repetitions, title in WORKS:
            weights = f"{folder}/{model}.safetensors"
            if not Path(weights).exists():
                subprocess.run([peer], input=f"draw {model} {weights}\n", text=True, check=True, capture_output=True)
            found = shares(peer, f"{work} {model} {images} {size} {weights} {repetitions}\n")
            out.append(title)
            for name, share in sorted(found.items(), key=lambda item: -item[1]):
                if share >= 0.1:
                    out.append(f"  {share:5.1f} %  {name}")
            out.append("")
    (ROOT / "experiments/engine/profile.txt").write_text("\n".join(out))


if __name__ == "__main__":
    sys.exit(main())
