#!/usr/bin/env python3
"""Makes the Fashion-MNIST subset that crates/data embeds, so that the first run needs no network.

Keeps the first 1,000 training and the first 200 test images of each class, in the order of the official files. So the subset is
class-balanced and the classes stay mixed. Writes

    crates/data/embedded/fashion-mnist.png   the 12,000 grey 28x28 images as tiles, 100 per row, training images first
    crates/data/embedded/fashion-mnist.txt   their labels as digits, one line per row of tiles

Needs numpy, Pillow and the four official .gz files. FOLDER defaults to the folder of Debian's package dataset-fashion-mnist:

    apt-get install dataset-fashion-mnist && python3 scripts/embed_fashion_mnist.py [FOLDER]
"""

import gzip
import hashlib
import pathlib
import sys

import numpy
from PIL import Image

SIDE, ACROSS, CLASSES = 28, 100, 10
SPLITS = [("train", 1000), ("t10k", 200)]


def read(folder, split):
    """Images `(n, 28, 28)` and labels `(n,)` of one official pair of files."""
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return (
        numpy.frombuffer(images, numpy.uint8, offset=16).reshape(-1, SIDE, SIDE),
        numpy.frombuffer(labels, numpy.uint8, offset=8),
    )


def cut(images, labels, per_class):
    """The first `per_class` of every class, in file order."""
    keep = numpy.sort(numpy.concatenate([numpy.flatnonzero(labels == c)[:per_class] for c in range(CLASSES)]))
    assert len(keep) == per_class * CLASSES
    return images[keep], labels[keep]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    out = pathlib.Path(__file__).resolve().parent.parent / "crates" / "data" / "embedded"
    parts = [cut(*read(folder, split), per_class) for split, per_class in SPLITS]
    images = numpy.concatenate([p[0] for p in parts])
    labels = numpy.concatenate([p[1] for p in parts])

    sheet = images.reshape(-1, ACROSS, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(-1, ACROSS * SIDE)
    Image.fromarray(sheet).save(out / "fashion-mnist.png", optimize=True)
    lines = ["".join(map(str, row)) for row in labels.reshape(-1, ACROSS)]
    (out / "fashion-mnist.txt").write_text("\n".join(lines) + "\n")

    # The test in crates/data/src/fashion.rs expects these checksums: all images, then all labels, training first.
    print("images", hashlib.sha256(images.tobytes()).hexdigest())
    print("labels", hashlib.sha256(labels.tobytes()).hexdigest())


if __name__ == "__main__":
    main()
