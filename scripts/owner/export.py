"""Exports weights of one of Brink's networks to ONNX, for trials of `brink`.

    pip install -r scripts/peers/requirements.txt
    python scripts/owner/export.py WEIGHTS mine.onnx --model resnet20 --classes 10
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import engine  # noqa: E402
import onnx  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("out")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--side", type=int, default=32, help="height and width of the images")
    arguments = parser.parse_args()
    spec = {
        "model": arguments.model, "width": 1.0, "classes": arguments.classes, "weights": arguments.weights,
        "normalize": None, "input": [3, arguments.side, arguments.side],
    }  # fmt: skip
    onnx.save(engine.exported(spec), arguments.out)


if __name__ == "__main__":
    main()
