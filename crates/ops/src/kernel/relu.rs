//! ReLU and the mask of its gradient, for one element.

use super::Real;

/// `max(y, 0)`. NaN stays NaN, so that a diverged model is visible.
#[inline(always)]
pub(crate) fn relu_of<T: Real + PartialOrd>(y: T) -> T {
    if y <= T::ZERO { T::ZERO } else { y }
}

/// `g` if `y`, the output of a ReLU, is positive, otherwise 0. So the gradient at 0 is PyTorch's, 0; candle's is 1.
#[inline(always)]
pub(crate) fn masked_by<T: Real + PartialOrd>(g: T, y: T) -> T {
    if y > T::ZERO { g } else { T::ZERO }
}
