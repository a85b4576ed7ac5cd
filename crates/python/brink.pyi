"""Checks that a deployed classifier is still yours: protects any callable, and asks it again."""

from collections.abc import Callable
from os import PathLike
from typing import Literal, final

import numpy as np
import numpy.typing as npt

Predict = Callable[[npt.NDArray[np.float32]], npt.ArrayLike]
"""Images (n, channels, height, width) in [0, 1] to scores (n, classes), or to labels (n,)."""

@final
class Verdict:
    """What a verification found."""

    verdict: Literal["intact", "changed", "cannot tell"]
    reason: str | None
    like: str | None
    """What explains a changed model's answers without other weights, e.g. images sent as JPEG."""
    images: int
    asked: int
    flipped: list[int]
    p_value: float
    false_alarm: float

@final
class Protection:
    """What was made."""

    pairs: int
    queries: int
    left_out: int
    dropped: int
    images_if_intact: int

def new_key() -> str:
    """A fresh secret key of 64 hexadecimal digits."""

def public_key(key: str) -> str:
    """The public key of a secret key. It verifies, and cannot sign."""

def protect(
    predict: Predict,
    images: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    out: str | PathLike[str] = "model.brink",
    *,
    key: str | None = None,
    user: str = "owner",
    pairs: int = 150,
    false_alarms: float = 1e-3,
    change: float = 0.25,
    miss: float = 0.01,
    margin: float | None = None,
    head: bool = False,
    classes: int | None = None,
    eight_bit: bool = False,
    batch: int = 32,
    seed: int | None = None,
    force: bool = False,
) -> Protection:
    """Makes pairs of images beside the decision boundary of `predict`, and writes them, signed, to `out`."""

def verify(
    predict: Predict,
    mark: str | PathLike[str] = "model.brink",
    *,
    signer: str | None = None,
    fresh_only: bool = False,
    batch: int = 32,
    seed: int | None = None,
) -> Verdict:
    """Asks `predict` pair by pair whether it is still the protected model."""
