//! A convolution with its batch normalisation.

use crate::error::{Error, Result};
use crate::pass::{BatchNormMode, Pass};
use brink_ops::{BatchNorm, Frozen, Window};
use candle_core::{DType, Tensor, Var};

/// Added to the variance: PyTorch's default.
pub(crate) const EPS: f64 = 1e-5;
/// The weight of a batch's statistics in an update of the running statistics: PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Convolution and batch normalisation, with an optional residual sum and an optional ReLU.
pub(crate) enum ConvBn {
    Frozen(Frozen),
    Trainable {
        weight: Tensor,
        bias: Option<Tensor>,
        gamma: Tensor,
        beta: Tensor,
        mean: Var,
        variance: Var,
        window: Window,
    },
}

impl ConvBn {
    /// `act(bn(conv(x)) + residual)` for `x (n, h, w, c)`.
    pub fn forward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor> {
        match self {
            Self::Frozen(unit) => pass.layer(
                |tape| unit.forward(tape, x, residual, relu),
                |tape, reduction| unit.forward_covered(tape, x, residual, relu, reduction),
            ),
            Self::Trainable {
                weight,
                bias,
                gamma,
                beta,
                mean,
                variance,
                window,
            } => {
                let bias = bias.as_ref();
                let a = brink_ops::conv2d(pass.tape, x, weight, bias, false, *window)?;
                let layer = BatchNorm {
                    gamma,
                    beta,
                    eps: EPS,
                    residual,
                    relu,
                };
                Ok(match pass.batch_norm {
                    BatchNormMode::Eval => layer.eval(pass.tape, &a, mean, variance)?,
                    BatchNormMode::Train => {
                        let (y, batch) = layer.train(pass.tape, &a)?;
                        if batch.count <= 1 {
                            return Err(Error::SingleValue);
                        }
                        move_towards(mean, batch.mean.iter().copied())?;
                        move_towards(variance, batch.unbiased_variance())?;
                        y
                    }
                })
            }
        }
    }
}

/// Moves running statistics towards the statistics of a batch.
fn move_towards(running: &Var, batch: impl Iterator<Item = f64>) -> Result<()> {
    let old = running
        .as_detached_tensor()
        .to_dtype(DType::F64)?
        .to_vec1::<f64>()?;
    let new: Vec<f64> = old
        .iter()
        .zip(batch)
        .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * new)
        .collect();
    let new =
        Tensor::from_vec(new, running.shape(), running.device())?.to_dtype(running.dtype())?;
    Ok(running.set(&new)?)
}
