//! A layer with bias: a convolution, or a fully connected layer.

use crate::error::Result;
use crate::pass::Pass;
use brink_ops::{Frozen, FrozenPooledLinear, Window};
use candle_core::Tensor;

/// A convolution or a fully connected layer with bias, and an optional ReLU.
pub(crate) enum Layer {
    Frozen(Frozen),
    Conv {
        weight: Tensor,
        bias: Tensor,
        window: Window,
    },
    Linear {
        weight: Tensor,
        bias: Tensor,
    },
    /// A fully connected layer with the adaptive average pooling before it.
    FrozenPooled(FrozenPooledLinear),
    Pooled {
        weight: Tensor,
        bias: Tensor,
        bins: (usize, usize),
    },
}

impl Layer {
    /// `act(layer(x))` for `x (n, h, w, c)`, or for `x (n, i)` if the layer is fully connected.
    pub fn forward(&self, x: &Tensor, relu: bool, pass: &mut Pass<'_>) -> Result<Tensor> {
        Ok(match self {
            Self::Frozen(unit) => pass.layer(
                |tape| unit.forward(tape, x, None, relu),
                |tape, reduction| unit.forward_covered(tape, x, None, relu, reduction),
            )?,
            Self::FrozenPooled(layer) => pass.layer(
                |tape| layer.forward(tape, x, relu),
                |tape, reduction| layer.forward_covered(tape, x, relu, reduction),
            )?,
            Self::Conv {
                weight,
                bias,
                window,
            } => brink_ops::conv2d(pass.tape, x, weight, Some(bias), relu, *window)?,
            Self::Linear { weight, bias } => brink_ops::linear(pass.tape, x, weight, bias, relu)?,
            Self::Pooled { weight, bias, bins } => {
                brink_ops::pooled_linear(pass.tape, x, weight, bias, *bins, relu)?
            }
        })
    }
}
