"""Golden values of whole networks: logits, gradients, running statistics and the first training losses.

Each quantity is computed twice: in f64 as the reference, and in f32 to show PyTorch's own rounding error.
"""

import numpy as np
import torch
from torch.nn import functional

import formula
import networks

CLASSES = 10
EVAL_BATCH = 4
TRAIN_BATCH = 8
SIZE = 32
ODD = (2, 3, 33, 47)


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)


OPTIMISERS = {
    # name: (training mode?, steps, constructor)
    "sgd_train": (True, 10, lambda p: sgd(p, lr=0.05)),
    # At 0.05 ResNet-18 is chaotic on such a small batch: f32 and f64 losses diverge after four steps. At 0.001 they stay close.
    "sgd_gentle": (True, 10, lambda p: sgd(p, lr=0.001)),
    "adam_train": (True, 3, lambda p: torch.optim.Adam(p, lr=1e-3)),
    "adam_eval": (False, 3, lambda p: torch.optim.Adam(p, lr=1e-3)),
}


def batch(shape, dtype):
    images = torch.from_numpy(formula.images(shape)).to(dtype)
    return images, torch.from_numpy(formula.labels(shape[0], CLASSES))


def forward_backward(network, shape, dtype):
    """Logits, loss, gradient of the images, and gradients of the parameters by name, for one batch."""
    images, labels = batch(shape, dtype)
    images.requires_grad_(True)
    logits = network(images)
    loss = functional.cross_entropy(logits, labels)
    loss.backward()
    gradients = {name: p.grad.numpy() for name, p in network.named_parameters()}
    return logits.detach().numpy(), loss.detach().numpy(), images.grad.numpy(), gradients


def losses(name, dtype, training, steps, optimiser):
    """The loss before each step on one fixed batch."""
    network = networks.build(name, CLASSES, dtype).train(training)
    step = optimiser(network.parameters())
    images, labels = batch((TRAIN_BATCH, 3, SIZE, SIZE), dtype)
    values = []
    for _ in range(steps):
        step.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        step.step()
        values.append(loss.item())
    return np.array(values, dtype=np.float32 if dtype == torch.float32 else np.float64)


def measure(name, dtype):
    """All quantities of one network in one precision, not sampled."""
    out = {}
    network = networks.build(name, CLASSES, dtype).eval()
    with torch.no_grad():
        out["odd.logits"] = network(batch(ODD, dtype)[0]).numpy()
    for mode, count in (("eval", EVAL_BATCH), ("train", TRAIN_BATCH)):
        network = networks.build(name, CLASSES, dtype).train(mode == "train")
        logits, loss, input_grad, gradients = forward_backward(network, (count, 3, SIZE, SIZE), dtype)
        out[f"{mode}.logits"], out[f"{mode}.loss"] = logits, loss.reshape(1)
        out["eval.input_grad" if mode == "eval" else "train.input_grad/images"] = input_grad
        out |= {f"{mode}.grad/{key}": grad for key, grad in gradients.items()}
        if mode == "train":
            for key, buffer in network.named_buffers():
                if not key.endswith("num_batches_tracked"):
                    out[f"train.buffer/{key}"] = buffer.numpy()
    for key, (training, steps, optimiser) in OPTIMISERS.items():
        out[f"{key}.losses"] = losses(name, dtype, training, steps, optimiser)
    return out


def relative_error(rough, exact):
    """The largest absolute error, relative to the largest magnitude."""
    return float(np.abs(rough - exact).max() / np.abs(exact).max())


def fixture(name):
    """The tensors of one network's fixture file."""
    exact, rough = measure(name, torch.float64), measure(name, torch.float32)
    out = {}
    errors = {}
    for key, value in exact.items():
        group, _, parameter = key.partition("/")
        errors[group] = max(errors.get(group, 0.0), relative_error(rough[key], value))
        if parameter and group.endswith("grad"):
            out[key] = formula.sample(parameter, value)
            out[f"{group}_moments/{parameter}"] = formula.moments(value)
        else:
            out[key] = value
            if group.endswith((".logits", ".loss", ".losses")):
                out[f"{key}_f32"] = rough[key]
    for group, error in errors.items():
        out[f"{group}.f32_error"] = np.array([error])
    return out
