"""Golden values of single operations: outputs, all gradients, running statistics. Inputs are f32, arithmetic is f64."""

import torch
from torch.nn import functional

import formula

CONVOLUTIONS = [
    # inputs, outputs, kernel, stride, padding, height, width, images
    (3, 8, 7, 2, 3, 17, 23, 2),
    (5, 7, 3, 1, 1, 9, 8, 3),
    (16, 33, 3, 2, 1, 9, 8, 2),
    (4, 6, 1, 1, 0, 5, 5, 2),
    (4, 6, 1, 2, 0, 7, 5, 2),
    (8, 8, 3, 1, 1, 1, 1, 5),
    (2, 3, 5, 3, 2, 11, 7, 1),
    # The last row and column are not read; a single output pixel; a kernel larger than the image.
    (3, 4, 3, 2, 0, 8, 6, 2),
    (3, 4, 4, 1, 0, 4, 4, 1),
    (2, 5, 7, 2, 3, 3, 2, 2),
]

POOLS = [
    # kernel, stride, padding, channels, height, width, images
    (3, 2, 1, 3, 9, 8, 2),
    (2, 2, 0, 3, 7, 10, 2),
    (3, 2, 1, 2, 1, 1, 1),
]

BATCH_NORMS = [
    # channels, height, width, images, centre, scale of the input
    (5, 3, 7, 4, 0.5, 2.0),
    (6, 1, 1, 8, 0.0, 1.0),
    # The mean is much larger than the spread: E[x^2] - E[x]^2 loses all digits here, a two-pass variance does not.
    (3, 4, 4, 3, 100.0, 0.1),
]

LINEARS = [
    # inputs, outputs, images
    (13, 5, 7),
    (512, 10, 1),
]


def tracked(array):
    return torch.from_numpy(array).double().requires_grad_(True)


def backward(y, name):
    """Runs the backward pass with an output gradient by the formula."""
    y.backward(torch.from_numpy(formula.signed(f"{name}.dy", tuple(y.shape))).double())


def numbers(values):
    return torch.tensor(values, dtype=torch.int64)


def conv2d(name, case):
    inputs, outputs, kernel, stride, padding, height, width, images = case
    x = tracked(formula.signed(f"{name}.x", (images, inputs, height, width)))
    w = tracked(formula.weight(f"{name}.weight", (outputs, inputs, kernel, kernel)))
    y = functional.conv2d(x, w, stride=stride, padding=padding)
    backward(y, name)
    return {"case": numbers(case), "y": y, "dx": x.grad, "dweight": w.grad}


def max_pool2d(name, case):
    """Inputs are 0, 1, 2 or 3, so windows have ties. The first maximum in row order gets the gradient."""
    kernel, stride, padding, channels, height, width, images = case
    x = tracked((4 * formula.unit(f"{name}.x", (images, channels, height, width))).astype(int))
    y = functional.max_pool2d(x, kernel, stride, padding)
    backward(y, name)
    return {"case": numbers(case), "y": y, "dx": x.grad}


def batch_norm(name, case):
    channels, height, width, images, centre, scale = case
    out = {"case": numbers(case[:4]), "input": torch.tensor([centre, scale], dtype=torch.float64)}
    for mode in ("train", "eval"):
        x = tracked(formula.around(centre, scale, f"{name}.x", (images, channels, height, width)))
        w, b = (tracked(formula.parameter(f"{name}.{kind}", (channels,))) for kind in ("weight", "bias"))
        mean, var = (
            torch.from_numpy(formula.parameter(f"{name}.{kind}", (channels,))).double()
            for kind in ("running_mean", "running_var")
        )
        y = functional.batch_norm(x, mean, var, w, b, training=mode == "train", momentum=0.1, eps=1e-5)
        backward(y, name)
        out |= {f"{mode}.y": y, f"{mode}.dx": x.grad, f"{mode}.dweight": w.grad, f"{mode}.dbias": b.grad}
        if mode == "train":
            out |= {"train.running_mean": mean, "train.running_var": var}
    return out


def linear(name, case):
    inputs, outputs, images = case
    x = tracked(formula.signed(f"{name}.x", (images, inputs)))
    w = tracked(formula.weight(f"{name}.weight", (outputs, inputs)))
    b = tracked(formula.parameter(f"{name}.bias", (outputs,)))
    y = functional.linear(x, w, b)
    backward(y, name)
    return {"case": numbers(case), "y": y, "dx": x.grad, "dweight": w.grad, "dbias": b.grad}


OPS = {
    "conv2d": (conv2d, CONVOLUTIONS),
    "max_pool2d": (max_pool2d, POOLS),
    "batch_norm": (batch_norm, BATCH_NORMS),
    "linear": (linear, LINEARS),
}


def fixture(op):
    """The tensors of one operation's fixture file: `<case number>.<what>`."""
    function, cases = OPS[op]
    return {
        f"{number}.{key}": value.detach().numpy()
        for number, case in enumerate(cases)
        for key, value in function(f"{op}.{number}", case).items()
    }
