//! Cross entropy.

use crate::error::Result;
use candle_core::{D, Tensor, Var};

/// Mean cross entropy of `logits (n, classes)` against labels `(n,)` of type u32, as a scalar.
///
/// # Errors
/// If the shapes do not fit.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    // The largest logit is a constant shift, so the maximum needs no gradient.
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let normaliser = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let own = shifted.gather(&labels.unsqueeze(1)?, D::Minus1)?;
    Ok((normaliser - own)?.mean_all()?)
}

/// [`cross_entropy`], and its gradient with respect to `logits`.
///
/// # Errors
/// If the shapes do not fit.
pub fn cross_entropy_gradient(logits: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
    let logits = Var::from_tensor(&logits.detach())?;
    let loss = cross_entropy(&logits, labels)?;
    let grads = loss.backward()?;
    let grad = grads
        .get(&logits)
        .cloned()
        .map_or_else(|| logits.zeros_like(), Ok)?;
    Ok((loss.detach(), grad))
}
