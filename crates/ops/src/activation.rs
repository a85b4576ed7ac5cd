//! ReLU, which other operations end with, with PyTorch's gradient at zero (0; candle's is 1), and dropout.

use crate::elementwise::zip;
use crate::kernel::Element;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Tensor};

/// `max(y, 0)`; NaN stays NaN, so that a diverged model is seen.
#[inline(always)]
pub(crate) fn relu_of<T: Element>(y: T) -> T {
    if y <= T::ZERO { T::ZERO } else { y }
}

/// `g` where `y`, the output of a ReLU, is positive, else 0.
#[inline(always)]
pub(crate) fn masked_by<T: Element>(g: T, y: T) -> T {
    if y > T::ZERO { g } else { T::ZERO }
}

/// `x * mask`, any shape: dropout, with a `mask` of 0 where a unit is dropped and the inverse of the share kept where it is not.
///
/// # Errors
/// If `mask` has not the shape and type of `x`.
pub fn dropout(tape: &mut Tape, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let y = (x * mask)?;
    if !x.device().is_cpu() {
        return Ok(y);
    }
    Ok(tape.note(Dropout(mask.detach()), &[x], y.detach(), false))
}

struct Dropout(Tensor);

impl Operation for Dropout {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let grad = (grad * &self.0)?;
        inputs.iter().try_for_each(|x| grads.add(x, grad.clone()))
    }
}

/// `grad` where the output `y` of a ReLU is positive, else 0.
pub(crate) fn masked(y: &Tensor, grad: &Tensor) -> Result<Tensor> {
    by_dtype!(y.dtype(), T => {
        let dx = zip(View::of(grad).elements::<T>()?, View::of(y).elements::<T>()?, masked_by);
        Tensor::from_vec(dx, y.shape(), y.device())
    })
}
