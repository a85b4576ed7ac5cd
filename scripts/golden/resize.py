#!/usr/bin/env python3
"""Writes the results of Pillow's antialiased bilinear resize: crates/data/tests/golden/resize.json.

    pip install pillow==13.0.0 && python scripts/golden/resize.py

Only the results are stored; crates/data/src/resize.rs makes the images by the same formula. After the weights are computed,
Pillow uses integer arithmetic, so every machine gives the same bytes.
"""

import json
import pathlib

import PIL
from PIL import Image

# (height, width) before and after: smaller, larger, both, odd, unchanged, extreme.
SIZES = [
    ((16, 17), (32, 34)),
    ((53, 54), (40, 40)),
    ((25, 243), (40, 40)),
    ((232, 31), (10, 40)),
    ((40, 40), (40, 40)),
    ((7, 5), (11, 13)),
    ((13, 11), (5, 7)),
    ((9, 30), (31, 8)),
    ((1, 1), (3, 2)),
    ((17, 19), (1, 1)),
    ((500, 667), (12, 13)),
    ((2, 3), (29, 1)),
    # Sizes around the point where Pillow starts to resize the rows first.
    ((20, 21), (10, 16)),
    ((21, 21), (10, 16)),
    ((85, 66), (14, 21)),
]


def noise(height, width):
    """The upper byte of index * 2654435761 in 32 bits."""
    return bytes((place * 2654435761 % 2**32) >> 24 for place in range(height * width))


def checkerboard(height, width):
    return bytes(255 * ((place // width + place % width) % 2 == 0) for place in range(height * width))


def case(size, to, image):
    resized = Image.frombytes("L", size[::-1], image(*size)).resize(to[::-1], Image.BILINEAR)
    return {"from": size, "to": to, "pixels": list(resized.tobytes())}


def main():
    out = pathlib.Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden" / "resize.json"
    cases = [case(size, to, image) for size, to in SIZES for image in (noise, checkerboard)]
    out.write_text(json.dumps({"made_by": f"scripts/golden/resize.py, Pillow {PIL.__version__}", "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
