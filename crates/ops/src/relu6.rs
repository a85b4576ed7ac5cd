//! ReLU6, the activation of MobileNets.

use crate::elementwise::{chunks, zip};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{Result, Tensor, bail};

/// See [`crate::relu6`].
pub(crate) fn relu6(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let y = chunks(xs.elements::<T>()?, [], 1, #[inline(always)] |_, y, []| {
            for y in y {
                // NaN fails both comparisons, and stays.
                if *y <= T::ZERO {
                    *y = T::ZERO;
                } else if *y >= T::of(6.0) {
                    *y = T::of(6.0);
                }
            }
        });
        Tensor::from_vec(y, x.shape(), x.device())?
    });
    Ok(tape.note(Relu6, &[&x], y, false))
}

struct Relu6;

impl Operation for Relu6 {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::Relu6)))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x] = inputs else {
            bail!("ReLU6 has one input");
        };
        if !grads.wants(x) {
            return Ok(());
        }
        by_dtype!(x.dtype(), T => {
            let (ys, gs) = (View::of(y), View::of(&grad));
            let dx = zip(gs.elements::<T>()?, ys.elements::<T>()?, #[inline(always)] |g, y| {
                // At both ends the gradient is PyTorch's, 0.
                if y > T::ZERO && y < T::of(6.0) { g } else { T::ZERO }
            });
            grads.add(x, Tensor::from_vec(dx, x.shape(), x.device())?)
        })
    }
}
