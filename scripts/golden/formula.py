"""Weights and images from a formula that Python and Rust share, so that fixtures need only outputs.

Every value is a function of a tensor's name and an element's index; README.md states the formula for the Rust side. All
arithmetic here is IEEE single precision, with one rounding after each operation and no fused multiply-add.
"""

import math

import numpy as np

F32 = np.float32


def fnv1a64(text: str) -> int:
    """The 64-bit FNV-1a hash of the text's UTF-8 bytes."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def words(name: str, count: int) -> np.ndarray:
    """splitmix64(fnv1a64(name) + i) for i = 0 .. count, as u64."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a64(name)) + np.arange(count, dtype=np.uint64)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def unit(name: str, shape) -> np.ndarray:
    """u in [0, 1), exact in f32: the upper 24 bits of the word."""
    upper = (words(name, math.prod(shape)) >> np.uint64(40)).astype(F32)
    return (upper / F32(2**24)).reshape(shape)


def signed(name: str, shape) -> np.ndarray:
    """v = 2u - 1 in [-1, 1), exact in f32."""
    return F32(2) * unit(name, shape) - F32(1)


def weight(name: str, shape) -> np.ndarray:
    """The weight of a convolution or a linear layer: v * f32(sqrt(6 / fan_in)), with the root in f64."""
    return signed(name, shape) * F32(math.sqrt(6.0 / math.prod(shape[1:])))


def around(centre: float, scale: float, name: str, shape) -> np.ndarray:
    """centre + scale * v, in f32: the product is rounded, then the sum."""
    return F32(centre) + F32(scale) * signed(name, shape)


def parameter(name: str, shape) -> np.ndarray:
    """The network tensor with this name. The name and the rank determine its kind."""
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_var":
        return around(1, 0.5, name, shape)
    if kind in ("running_mean", "bias"):
        return F32(0.1) * signed(name, shape)
    if kind == "weight" and len(shape) == 1:
        # The last norm of a bottleneck is small. Otherwise fifty residual sums would double the variance fifty times.
        return around(0.2, 0.1, name, shape) if name.endswith(".bn3.weight") else around(1, 0.2, name, shape)
    if kind == "weight":
        return weight(name, shape)
    raise ValueError(f"{name}: no formula for this kind of tensor")


def images(shape) -> np.ndarray:
    """Images in [0, 1): (v + 1) / 2, which is u. A smaller batch is the beginning of a larger one of the same image size."""
    return unit("images", shape)


def labels(count: int, classes: int) -> np.ndarray:
    """The label of image i is (7 i + 3) mod classes."""
    return (7 * np.arange(count, dtype=np.int64) + 3) % classes


SAMPLES = 64


def sample(name: str, tensor: np.ndarray) -> np.ndarray:
    """The flat tensor if it has at most 64 elements, else 64 elements at indices that depend on the name."""
    flat = np.ascontiguousarray(tensor).reshape(-1)
    if flat.size <= SAMPLES:
        return flat
    return flat[(words("sample/" + name, SAMPLES) % np.uint64(flat.size)).astype(np.int64)]


def moments(tensor: np.ndarray) -> np.ndarray:
    """The sum and the sum of squares over all elements, in f64."""
    flat = tensor.astype(np.float64).reshape(-1)
    return np.array([math.fsum(flat), math.fsum(flat * flat)])
