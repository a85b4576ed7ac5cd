//! What the tests of the operations share.

// Each test uses its own part.
#![allow(dead_code)]

use brink_ops::{Gradients, Tape};
use candle_core::{Result, Tensor, Var};

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

/// Values in [-1, 1) from a seed; nothing near a tie.
pub fn values(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}
