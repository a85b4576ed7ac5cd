#!/usr/bin/env python3
"""Loads a checkpoint into PyTorch by name, strictly, and prints the largest logit of each formula image.

    python scripts/golden/load_checkpoint.py FILE.safetensors --model resnet18 --classes 10

Only `num_batches_tracked` may be absent: training here never reads it. The images are not normalised.
"""

import argparse
import sys

import torch
from safetensors.torch import load_file

import formula
import networks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--model", choices=networks.NETWORKS, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--images", type=int, default=4, help="number of formula images (default 4)")
    parser.add_argument("--size", type=int, default=32, help="their height and width (default 32)")
    options = parser.parse_args()

    network = networks.NETWORKS[options.model](options.classes).eval()
    state = load_file(options.file)
    for name, buffer in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, buffer)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        sys.exit(f"{options.file}: {error}")

    torch.set_num_threads(1)
    with torch.no_grad():
        logits = network(torch.from_numpy(formula.images((options.images, 3, options.size, options.size))))
    for image, row in enumerate(logits):
        print(f"image {image}: class {row.argmax().item()}, logit {row.max().item():.6f}")


if __name__ == "__main__":
    main()
