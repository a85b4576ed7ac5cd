#!/usr/bin/env python3
"""Writes small MATLAB files with SciPy: crates/data/tests/golden/packed.mat (compressed) and plain.mat.

    pip install numpy==2.4.6 scipy==1.17.1 && python scripts/golden/matlab.py

The arrays have the types in Flowers-102's two files (`labels` in u8, `trnid` in u16), and some others.
"""

import pathlib

import numpy
from scipy.io import savemat

ARRAYS = {
    "text": "no numbers",
    "x": numpy.array([[7]], numpy.uint8),
    "labels": (numpy.arange(300) % 102 + 1).reshape(1, -1).astype(numpy.uint8),
    "trnid": numpy.array([[6765, 8189, 1]], numpy.uint16),
    "whole": numpy.array([[-3, 0, 70_000]], numpy.int32),
    "double": numpy.array([[1.0, 2.0, 3.0]]),
}


def main():
    folder = pathlib.Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden"
    savemat(folder / "packed.mat", ARRAYS, do_compression=True)
    savemat(folder / "plain.mat", ARRAYS, do_compression=False)


if __name__ == "__main__":
    main()
