//! The units of frozen networks: each checks its arguments.

use super::require_pixels;
use crate::negative::Reduction;
use crate::plan::Window;
use crate::tape::Tape;
use crate::{frozen, pooled_linear};
use candle_core::{Result, Tensor, bail};

/// One unit of a frozen network: `act(affine(conv(x)) + residual)`. A linear layer counts as a convolution.
#[derive(Clone)]
pub struct Frozen(frozen::Frozen);

impl Frozen {
    /// A convolution with `weight (o, c, kh, kw)` and perhaps a `bias (o)`, then the batch normalisation `(gamma, beta, mean, variance)`,
    /// each (o), in evaluation mode.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv_bn(
        weight: &Tensor,
        bias: Option<&Tensor>,
        vectors: [&Tensor; 4],
        eps: f64,
        window: Window,
    ) -> Result<Self> {
        let o = weight.dim(0)?;
        let mut all = vectors.into_iter().chain(bias);
        if let Some(vector) = all.find(|vector| vector.dims() != [o]) {
            bail!(
                "frozen unit: weight {:?} with bias or normalisation {:?}",
                weight.shape(),
                vector.shape()
            );
        }
        Ok(Self(frozen::Frozen::conv_bn(
            weight, bias, vectors, eps, window,
        )?))
    }

    /// A convolution with `weight (o, c, kh, kw)` and `bias (o)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        Ok(Self(frozen::Frozen::conv(weight, bias, window)?))
    }

    /// A linear layer with `weight (o, i)` and `bias (o)` on maps of `map` pixels, flattened channels first. With a 1x1 map it also
    /// takes `(n, i)`: see [`linear`](crate::linear).
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn linear(weight: &Tensor, bias: &Tensor, map: (usize, usize)) -> Result<Self> {
        let (_, i) = weight.dims2()?;
        if map.0 * map.1 == 0 || i % (map.0 * map.1) != 0 {
            bail!("frozen unit: maps of {map:?} pixels do not have {i} inputs");
        }
        Ok(Self(frozen::Frozen::linear(weight, bias, map)?))
    }

    /// `act(affine(conv(x)) + residual)` for `x (n, h, w, c)`, or `(n, i)` for a linear layer, with ReLU as `act` if `relu`.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn forward(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        self.0.forward(tape, x, residual, relu)
    }

    /// The same bits as [`Frozen::forward`], and AID's activation term of the unit, one number per image.
    ///
    /// The term is the [`negative_part`](crate::negative_part) of the convolution before its batch normalisation, or of the layer with
    /// its bias. Its gradient reaches `x` together with the gradient of the result. So a walk back starts at both, with zeros if
    /// necessary.
    ///
    /// # Errors
    /// If there are no images, and those of [`Frozen::forward`].
    pub fn forward_covered(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        require_images(x)?;
        self.0.forward_covered(tape, x, residual, relu, reduction)
    }
}

/// The frozen form of [`pooled_linear`](crate::pooled_linear), with the same bits.
#[derive(Clone)]
pub struct FrozenPooledLinear(pooled_linear::FrozenPooledLinear);

impl FrozenPooledLinear {
    /// See [`pooled_linear`](crate::pooled_linear).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn new(weight: &Tensor, bias: &Tensor, bins: (usize, usize)) -> Result<Self> {
        let (o, i) = weight.dims2()?;
        if bins.0 * bins.1 == 0 || i % (bins.0 * bins.1) != 0 || bias.dims() != [o] {
            bail!(
                "pooled_linear: weight {:?} and bias {:?} do not fit {bins:?} bins",
                weight.shape(),
                bias.shape()
            );
        }
        Ok(Self(pooled_linear::FrozenPooledLinear::new(
            weight, bias, bins,
        )?))
    }

    /// `x (n, h, w, c)` to `(n, o)`.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn forward(&self, tape: &mut Tape, x: &Tensor, relu: bool) -> Result<Tensor> {
        require_pixels(x)?;
        self.0.forward(tape, x, relu)
    }

    /// [`FrozenPooledLinear::forward`], and AID's activation term as in [`Frozen::forward_covered`].
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn forward_covered(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        require_images(x)?;
        require_pixels(x)?;
        self.0.forward_covered(tape, x, relu, reduction)
    }
}

/// # Errors
/// If there are none: the activation term would be a mean over nothing.
fn require_images(x: &Tensor) -> Result<()> {
    if x.dim(0)? == 0 {
        bail!("frozen unit: there are no images in {:?}", x.shape());
    }
    Ok(())
}
