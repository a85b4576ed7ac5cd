#!/usr/bin/env python3
"""The work of `crates/generators/examples/gpu.rs` in PyTorch on the same GPU, in the ways in which people and experts run it: TF32 on and off,
channels first and last, compiled, as a CUDA graph. Appends one JSON line a way to FILE.

    python scripts/cuda/torch_peer.py FILE
"""

import json
import sys
import time

import torch
import torchvision

# Work, network, images, size.
WORKS = [
    ("ours", "resnet18", 150, 32),
    ("ours", "resnet18", 300, 32),
    ("ours", "vgg16", 150, 40),
    ("ours", "resnet152", 16, 128),
    ("query", "resnet18", 10000, 32),
    ("query", "resnet18", 1, 32),
    ("train", "resnet18", 128, 32),
    ("train", "vgg16", 128, 40),
]
SECONDS = 1.0


def milliseconds(once):
    """The median of one repetition. `once` ends with a number on the host, so nothing is in flight behind it."""
    for _ in range(5):
        once()
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < SECONDS or len(times) < 3:
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3


def network(model, last, compiled):
    net = getattr(torchvision.models, model)(num_classes=10).cuda().eval().requires_grad_(False)
    net = net.to(memory_format=torch.channels_last if last else torch.contiguous_format)
    return torch.compile(net) if compiled else net


def ours(model, n, size, way):
    """One iteration of stage 1: forward, loss on a head of two outputs, gradient of the pixels, step, clamp."""
    torch.manual_seed(0)
    net = network(model, way["last"], way["compiled"])
    head = torch.nn.Linear(10, 2).cuda().requires_grad_(False)
    form = torch.channels_last if way["last"] else torch.contiguous_format
    pixels = torch.rand(n, 3, size, size, device="cuda").to(memory_format=form).requires_grad_(True)

    def step():
        outputs = head(net(pixels))
        loss = 100 * outputs.var(dim=1).mean() - outputs.abs().sum(dim=1).mean()
        (grad,) = torch.autograd.grad(loss, pixels)
        with torch.no_grad():
            pixels.copy_((pixels - 1e-3 * grad).clamp(0, 1))
        return loss

    if not way["graph"]:
        return lambda: step().item()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def once():
        graph.replay()
        return loss.item()

    return once


def query(model, n, size, way):
    net = network(model, way["last"], way["compiled"])
    form = torch.channels_last if way["last"] else torch.contiguous_format
    pixels = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8)

    def once():
        with torch.inference_mode():
            for part in pixels.split(250):
                net((part.cuda().float() / 255).to(memory_format=form)).argmax(1).cpu()

    return once


def train(model, n, size, way):
    """One training step: batch statistics, cross entropy, SGD with Nesterov momentum and weight decay."""
    torch.manual_seed(0)
    net = network(model, way["last"], way["compiled"]).train().requires_grad_(True)
    form = torch.channels_last if way["last"] else torch.contiguous_format
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-4)
    pixels, labels = torch.rand(n, 3, size, size).pin_memory(), torch.arange(n, device="cuda") % 10

    def once():
        optimizer.zero_grad(set_to_none=True)
        images = pixels.cuda(non_blocking=True).to(memory_format=form)
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return once


def ways():
    for tf32 in (True, False):
        for last in (False, True):
            yield {"tf32": tf32, "last": last, "compiled": False, "graph": False}
        yield {"tf32": tf32, "last": True, "compiled": False, "graph": True}
        yield {"tf32": tf32, "last": True, "compiled": True, "graph": False}


def main():
    torch.backends.cudnn.benchmark = True
    with open(sys.argv[1], "a", encoding="utf-8") as out:
        for work, model, n, size in WORKS:
            for way in ways():
                # Compilation takes longer than the time of the check allows, for all but one.
                if work != "ours" and way["graph"] or way["compiled"] and (model, n) != ("resnet18", 150):
                    continue
                torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = way["tf32"]
                row = {"peer": "pytorch", "work": work, "model": model, "images": n, "size": size, **way}
                try:
                    row["median_ms"] = milliseconds({"ours": ours, "query": query, "train": train}[work](model, n, size, way))
                except Exception as problem:  # e.g. no compiler, or no memory: the other ways go on
                    row["problem"] = str(problem)[:200]
                print(json.dumps(row), file=out, flush=True)
                torch.cuda.empty_cache()
        print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())


main()
