#!/usr/bin/env python3
"""Writes every golden fixture: `python scripts/golden/make.py`. README.md beside this file describes them."""

import json
import pathlib

import numpy
import torch
import torchvision
from safetensors.numpy import save_file

import checkpoint_fixtures
import model_fixtures
import networks
import op_fixtures
import optimiser_fixtures
import quantize_fixtures

CRATES = pathlib.Path(__file__).resolve().parents[2] / "crates"
MODELS = CRATES / "models/tests/golden"
OPS = CRATES / "ops/tests/golden"
ATTACKS = CRATES / "attacks/tests/golden"

PROVENANCE = (
    f"scripts/golden/make.py, torch {torch.__version__}, torchvision {torchvision.__version__}, numpy {numpy.__version__}"
)


def save_tensors(tensors, path):
    tensors = {name: numpy.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    # Only one entry: safetensors writes several in random order, so the files would differ between runs.
    save_file(tensors, path, metadata={"made_by": PROVENANCE})
    return path


def save_json(value, path):
    path.write_text(json.dumps({"made_by": PROVENANCE, **value}, indent=1) + "\n")
    return path


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for folder in (MODELS, OPS, ATTACKS):
        folder.mkdir(parents=True, exist_ok=True)
    written = [save_tensors(op_fixtures.fixture(op), OPS / f"{op}.safetensors") for op in op_fixtures.OPS]
    written += [save_tensors(model_fixtures.fixture(name), MODELS / f"{name}.safetensors") for name in networks.NETWORKS]
    written.append(save_json(optimiser_fixtures.fixture(), MODELS / "optimisers.json"))
    written += checkpoint_fixtures.save(MODELS)
    written.append(save_tensors(quantize_fixtures.fixture(), ATTACKS / "quantize.safetensors"))
    for path in written:
        print(f"{path.stat().st_size:>8} {path.relative_to(CRATES.parent)}")


if __name__ == "__main__":
    main()
