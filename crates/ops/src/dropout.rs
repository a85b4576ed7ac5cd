//! Dropout.

use crate::tape::{Gradients, Operation, Tape};
use crate::trace::{Described, Work};
use candle_core::{Result, Tensor};

/// `x * mask`, see [`crate::dropout`].
pub(crate) fn dropout(tape: &mut Tape, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let y = (x * mask)?;
    Ok(tape.note(Dropout(mask.detach()), &[x], y.detach(), false))
}

struct Dropout(Tensor);

impl Operation for Dropout {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::Dropout)))
    }

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
