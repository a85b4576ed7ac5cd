//! The variance of outputs, the main term of the losses of boundary samples.

use brink_models::Result;
use candle_core::{D, Tensor};

/// The unbiased variance of each sample's outputs `(n, k)`: one value per sample.
pub(crate) fn variance(outputs: &Tensor) -> Result<Tensor> {
    let k = outputs.dim(D::Minus1)? as f64;
    let centred = outputs.broadcast_sub(&outputs.mean_keepdim(D::Minus1)?)?;
    Ok((centred.sqr()?.sum(D::Minus1)? / (k - 1.0))?)
}
