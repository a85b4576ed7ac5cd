"""PyTorch's side: the same work on the same weights, as users usually write it and as experts do."""

import time

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file

CLASSES = 10


def network(model, weights):
    net = getattr(torchvision.models, model)(num_classes=CLASSES)
    net.load_state_dict(load_file(weights), strict=False)
    return net


def ours(net, images, size, frozen, channels_last):
    """One iteration of stage 1: forward, loss on the keyed head, gradient with respect to the pixels, step, clamp."""
    net.eval()
    net.requires_grad_(not frozen)
    head = torch.nn.Linear(CLASSES, 2).requires_grad_(not frozen)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    state = {"x": torch.randn(images, 3, size, size).to(memory_format=layout)}

    def once():
        x = state["x"].detach().requires_grad_(True)
        out = head(net(x))
        loss = 100 * out.var(dim=1).mean() - out.abs().sum(dim=1).mean()
        if frozen:
            (grad,) = torch.autograd.grad(loss, x)
        else:
            net.zero_grad(set_to_none=True)
            loss.backward()
            grad = x.grad
        with torch.no_grad():
            state["x"] = (x - 1e-3 * grad).clamp(0, 1)

    return once


def train(net, images, size, _, channels_last):
    """One training step: batch statistics, cross entropy, all gradients, SGD with Nesterov momentum and weight decay."""
    net.train()
    net.requires_grad_(True)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-4)
    x = torch.rand(images, 3, size, size).to(memory_format=layout)
    labels = torch.arange(images) % CLASSES

    def once():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return once


def query(net, images, size, _, channels_last):
    """Logits of u8 images without gradients, in batches of 250, as for an accuracy."""
    net.eval()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    pixels = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8)
    batches = pixels.to(memory_format=layout).split(250)

    def once():
        with torch.inference_mode():
            for batch in batches:
                net(batch.float() / 255)

    return once


# The ways to write each work: (weights frozen, channels last).
WAYS = {
    "ours": [(False, False), (True, False), (True, True)],
    "train": [(False, False), (False, True)],
    "query": [(True, False), (True, True)],
}
WORK = {"ours": ours, "train": train, "query": query}


def prepare(work, model, images, size, weights, way):
    return WORK[work](network(model, weights), images, size, *way)


def timed(once, repetitions):
    """The seconds of each repetition, after one warm-up."""
    once()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    return seconds


def flops(model, weights, size):
    """Twice the multiply-adds of one image's forward pass, including those on zeros of the padding."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        if isinstance(module, torch.nn.Conv2d):
            total += 2 * output[0].numel() * module.weight[0].numel()
        elif isinstance(module, torch.nn.Linear):
            total += 2 * module.weight.numel()

    net = network(model, weights).eval()
    for module in net.modules():
        module.register_forward_hook(count)
    with torch.inference_mode():
        net(torch.rand(1, 3, size, size))
    return total
