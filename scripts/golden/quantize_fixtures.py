"""Golden values of fake quantisation: PyTorch's observers and fake_quantize on weights, and on the activations of ResNet-20.

Keys are `<case>.<what>`; cases count from 0:

| key | what |
|---|---|
| `case` | I64: bits, affine (0 or 1), by channel (0 or 1) |
| `x`, `y` | weights before and after, f32 |
| `activations.ranges` | (20, 2): the minimum and maximum output of each layer of ResNet-20 on the images of *eval* |
| `activations.logits_<bits>` | (4, 10): its logits with every layer's output quantised affinely to these ranges |
"""

import torch
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver
from torch.nn import functional

import formula
import networks

SHAPES = [(6, 4, 3, 3), (5, 13)]
BITS = (2, 4, 8, 16)
# Values half-way between two levels, by affine or not (8 bits). The levels are whole numbers.
HALVES = {
    False: [127.0, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, -126.5],
    True: [-3.0, 252.0, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 251.5],
}


def bounds(bits, affine):
    """The least and the largest integer. A symmetric scheme has as many below 0 as above."""
    half = 2 ** (bits - 1)
    return (-half if affine else 1 - half), half - 1


def quantized(x, bits, affine, by_channel):
    low, high = bounds(bits, affine)
    scheme = f"per_{'channel' if by_channel else 'tensor'}_{'affine' if affine else 'symmetric'}"
    observer = (PerChannelMinMaxObserver if by_channel else MinMaxObserver)(
        dtype=torch.qint8 if bits <= 8 else torch.qint32,
        qscheme=getattr(torch, scheme),
        quant_min=low,
        quant_max=high,
        eps=torch.finfo(torch.float32).tiny,
    )
    observer(x)
    scale, zero = observer.calculate_qparams()
    if by_channel:
        return torch.fake_quantize_per_channel_affine(x, scale, zero.int(), 0, low, high)
    return torch.fake_quantize_per_tensor_affine(x, scale, zero.int(), low, high)


def weights():
    number = 0
    for shape in SHAPES:
        for bits in BITS:
            for affine in (False, True):
                for by_channel in (False, True):
                    yield torch.from_numpy(formula.weight(f"quantize.{number}", shape)), bits, affine, by_channel
                    number += 1
    for affine, values in HALVES.items():
        yield torch.tensor([values]), 8, affine, False


def resnet20(network, x, after):
    """The forward pass of networks.ResNet20. `after` is applied to the output of every layer, fused with its batch norm, residual sum and ReLU."""
    x = after(functional.relu(network.bn1(network.conv1(x))))
    for block in [*network.layer1, *network.layer2, *network.layer3]:
        y = after(functional.relu(block.bn1(block.conv1(x))))
        y = block.bn2(block.conv2(y))
        if block.pad:
            x = functional.pad(x[:, :, :: block.stride, :: block.stride], (0, 0, 0, 0, block.pad, block.pad))
        x = after(functional.relu(x + y))
    return after(network.linear(x.mean((2, 3))))


def activations():
    network = networks.build("resnet20", 10).eval()
    images = torch.from_numpy(formula.images((4, 3, 32, 32)))
    ranges = []

    def observe(y):
        ranges.append([y.min().item(), y.max().item()])
        return y

    plain = resnet20(network, images, observe)
    assert torch.equal(plain, network(images))
    out = {"activations.ranges": torch.tensor(ranges)}
    for bits in (4, 8):
        layers = iter(ranges)

        def rounded(y):
            low, high = next(layers)
            lowest, highest = bounds(bits, affine=True)
            observer = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_affine, quant_min=lowest, quant_max=highest)
            observer(torch.tensor([low, high]))
            scale, zero = observer.calculate_qparams()
            return torch.fake_quantize_per_tensor_affine(y, scale, zero.int(), lowest, highest)

        out[f"activations.logits_{bits}"] = resnet20(network, images, rounded)
    return out


def fixture():
    out = {}
    for number, (x, bits, affine, by_channel) in enumerate(weights()):
        out[f"{number}.case"] = torch.tensor([bits, affine, by_channel], dtype=torch.int64)
        out |= {f"{number}.x": x, f"{number}.y": quantized(x, bits, affine, by_channel)}
    with torch.no_grad():
        return {key: value.numpy() for key, value in (out | activations()).items()}

