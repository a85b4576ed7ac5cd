//! The units of frozen networks as compositions of candle's operations.

use super::{adaptive_avg_pool2d, affine, conv2d, negative_part, product};
use crate::negative::Reduction;
use crate::plan::Window;
use crate::tensor::constant;
use candle_core::{Result, Tensor};

/// See [`crate::Frozen`].
#[derive(Clone)]
pub struct Frozen {
    weight: Tensor,
    /// The window of a convolution; none for a linear layer.
    window: Option<Window>,
    /// The bias before a batch normalisation.
    bias: Option<Tensor>,
    /// The scale of a batch normalisation; none for a layer with bias.
    scale: Option<Tensor>,
    /// The shift of a batch normalisation, or the bias.
    shift: Tensor,
}

impl Frozen {
    /// See [`crate::Frozen::conv_bn`].
    ///
    /// # Errors
    /// As candle's.
    pub fn conv_bn(
        weight: &Tensor,
        bias: Option<&Tensor>,
        vectors: [&Tensor; 4],
        eps: f64,
        window: Window,
    ) -> Result<Self> {
        let [gamma, beta, mean, variance] = vectors.map(Tensor::detach);
        let scale = (gamma / (variance + eps)?.sqrt()?)?;
        let shift = (beta - (mean * &scale)?)?;
        Ok(Self {
            weight: constant(weight)?,
            window: Some(window),
            bias: bias.map(constant).transpose()?,
            scale: Some(scale),
            shift,
        })
    }

    /// See [`crate::Frozen::conv`].
    ///
    /// # Errors
    /// As candle's.
    pub fn conv(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        Ok(Self {
            window: Some(window),
            ..Self::linear(weight, bias)?
        })
    }

    /// See [`crate::Frozen::linear`].
    ///
    /// # Errors
    /// As candle's.
    pub fn linear(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        Ok(Self {
            weight: constant(weight)?,
            window: None,
            bias: None,
            scale: None,
            shift: constant(bias)?,
        })
    }

    /// See [`crate::Frozen::forward`].
    ///
    /// # Errors
    /// As candle's.
    pub fn forward(&self, x: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        self.finish(&self.product(x)?, residual, relu)
    }

    /// See [`crate::Frozen::forward_covered`].
    ///
    /// # Errors
    /// As candle's.
    pub fn forward_covered(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        let a = self.product(x)?;
        let covered = match &self.scale {
            None => a.broadcast_add(&self.shift)?,
            Some(_) => a.clone(),
        };
        let term = negative_part(&covered, reduction)?;
        Ok((self.finish(&a, residual, relu)?, term))
    }

    fn product(&self, x: &Tensor) -> Result<Tensor> {
        let a = match self.window {
            Some(window) => conv2d(x, &self.weight, window),
            None => product(x, &self.weight),
        }?;
        self.bias
            .as_ref()
            .map_or(Ok(a.clone()), |bias| a.broadcast_add(bias))
    }

    /// Applies to the product `a` what follows it.
    fn finish(&self, a: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        affine(a, self.scale.as_ref(), Some(&self.shift), residual, relu)
    }
}

/// See [`crate::FrozenPooledLinear`].
#[derive(Clone)]
pub struct FrozenPooledLinear {
    linear: Frozen,
    bins: (usize, usize),
}

impl FrozenPooledLinear {
    /// See [`crate::FrozenPooledLinear::new`].
    ///
    /// # Errors
    /// As candle's.
    pub fn new(weight: &Tensor, bias: &Tensor, bins: (usize, usize)) -> Result<Self> {
        Ok(Self {
            linear: Frozen::linear(weight, bias)?,
            bins,
        })
    }

    /// See [`crate::FrozenPooledLinear::forward`].
    ///
    /// # Errors
    /// As candle's.
    pub fn forward(&self, x: &Tensor, relu: bool) -> Result<Tensor> {
        let pooled = adaptive_avg_pool2d(x, self.bins)?;
        self.linear.forward(&pooled, None, relu)
    }

    /// See [`crate::FrozenPooledLinear::forward_covered`].
    ///
    /// # Errors
    /// As candle's.
    pub fn forward_covered(
        &self,
        x: &Tensor,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        let pooled = adaptive_avg_pool2d(x, self.bins)?;
        self.linear.forward_covered(&pooled, None, relu, reduction)
    }
}
