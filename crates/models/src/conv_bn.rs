//! A convolution with its batch normalisation.

use crate::error::{Error, Result};
use crate::pass::{BatchNormMode, Pass};
use brink_ops::{BatchNorm, BatchStatistics, Frozen, Tape, Window};
use candle_core::{DType, Tensor, Var};

/// Added to the variance: PyTorch's default.
pub(crate) const EPS: f64 = 1e-5;
/// The weight of a batch's statistics in an update of the running statistics: PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// What follows a normalisation.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    /// ReLU is a part of the operations; ReLU6 is one of its own.
    fn finish(self, tape: &mut Tape, y: Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::None | Self::Relu => Ok(y),
            Self::Relu6 => brink_ops::relu6(tape, &y),
        }
    }
}

/// Convolution and batch normalisation, with an optional residual sum and an optional activation.
pub(crate) enum ConvBn {
    /// One operation with constant weights.
    Fused(Frozen),
    /// One operation after the other.
    Separate {
        weight: Tensor,
        bias: Option<Tensor>,
        gamma: Tensor,
        beta: Tensor,
        mean: Var,
        variance: Var,
        window: Window,
        /// Whether each channel has a kernel of its own.
        depthwise: bool,
    },
}

impl ConvBn {
    /// `act(bn(conv(x)) + residual)` for `x (n, h, w, c)`.
    pub fn forward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        activation: Activation,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor> {
        let relu = activation == Activation::Relu;
        match self {
            Self::Fused(unit) => pass.layer(
                |tape| {
                    let y = unit.forward(tape, x, residual, relu)?;
                    activation.finish(tape, y)
                },
                |tape, reduction| {
                    let (y, term) = unit.forward_covered(tape, x, residual, relu, reduction)?;
                    Ok((activation.finish(tape, y)?, term))
                },
            ),
            Self::Separate {
                weight,
                bias,
                gamma,
                beta,
                mean,
                variance,
                window,
                depthwise,
            } => {
                let convolve = |tape: &mut Tape| match depthwise {
                    true => brink_ops::depthwise_conv2d(tape, x, weight, *window),
                    false => brink_ops::conv2d(tape, x, weight, bias.as_ref(), false, *window),
                };
                let layer = BatchNorm {
                    gamma,
                    beta,
                    eps: EPS,
                    residual,
                    relu,
                };
                let normalise = |tape: &mut Tape, a: &Tensor| {
                    let y = layer.eval(tape, a, mean, variance)?;
                    activation.finish(tape, y)
                };
                match pass.batch_norm {
                    BatchNormMode::Eval => pass.layer(
                        |tape| {
                            let a = convolve(tape)?;
                            normalise(tape, &a)
                        },
                        |tape, reduction| {
                            let a = convolve(tape)?;
                            let term = brink_ops::negative_part(tape, &a, reduction)?;
                            Ok((normalise(tape, &a)?, term))
                        },
                    ),
                    BatchNormMode::Train => {
                        let a = convolve(pass.tape)?;
                        let (y, batch) = layer.train(pass.tape, &a)?;
                        let running = Running {
                            mean: mean.clone(),
                            variance: variance.clone(),
                        };
                        match &mut pass.left {
                            Some(left) => left.running.push(running),
                            None => running.move_towards(&batch)?,
                        }
                        Ok(activation.finish(pass.tape, y)?)
                    }
                }
            }
        }
    }
}

/// The running statistics of a normalisation.
pub(crate) struct Running {
    mean: Var,
    variance: Var,
}

impl Running {
    /// Moves them towards the statistics of a batch.
    pub fn move_towards(&self, batch: &BatchStatistics) -> Result<()> {
        if batch.count <= 1 {
            return Err(Error::SingleValue);
        }
        move_towards(&self.mean, batch.mean.iter().copied())?;
        move_towards(&self.variance, batch.unbiased_variance())
    }
}

/// Moves a running statistic towards that of a batch.
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
