//! What the tests of the operations share.

use candle_core::{Result, Tensor, Var};
use ops::{Gradients, Tape};

/// The gradients of `loss(y)`, where `y` is on `tape` or, as a composition of candle's operations, in candle's graph.
pub fn gradients(
    tape: &Tape,
    y: &Tensor,
    loss: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Gradients> {
    if y.track_op() {
        return Ok(loss(y)?.backward()?.into());
    }
    let end = Var::from_tensor(y)?;
    let grads = loss(&end)?.backward()?;
    let grad = grads.get(&end).expect("the loss depends on the output");
    tape.backward([(y, grad.clone())])
}
