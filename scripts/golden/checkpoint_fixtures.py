"""Small `torch.save` files for the reader of `.pth` checkpoints."""

import torch

import formula


def tiny():
    """A plain state dict: two f32 tensors by the formula and one i64 scalar."""
    return {
        "conv1.weight": torch.from_numpy(formula.parameter("conv1.weight", (2, 3, 3, 3))),
        "bn1.running_var": torch.from_numpy(formula.parameter("bn1.running_var", (5,))),
        "bn1.num_batches_tracked": torch.tensor(7, dtype=torch.int64),
    }


def wrapped():
    """A training checkpoint: the state dict under a key, `module.` before each name, tensors as views of one storage."""
    storage = torch.from_numpy(formula.signed("storage", (20,)))
    return {
        "epoch": 3,
        "best_prec1": 91.5,
        "state_dict": {
            "module.linear.weight": storage[8:20].view(4, 3).t(),  # (3, 4), transposed, offset 8
            "module.linear.bias": storage[2:5],
        },
    }


def save(folder):
    """Writes `.pth` files into the folder and returns their paths."""
    files = {"tiny.pth": tiny(), "wrapped.pth": wrapped()}
    for name, value in files.items():
        torch.save(value, folder / name)
    return [folder / name for name in files]
