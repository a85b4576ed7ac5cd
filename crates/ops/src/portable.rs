//! The same operations as compositions of candle's own. The tests compare the kernels with them.
//!
//! Channels-last maps go to candle's channels-first kernels and back. The gradients are candle's, with two exceptions where candle's are
//! wrong. The maximum of a pooling window is chosen tap by tap, because candle's `max_pool2d` scales its gradient wrongly and has none
//! if windows overlap. And ReLU's gradient at 0 is PyTorch's.

mod frozen;
mod pool;
mod update;

pub use frozen::{Frozen, FrozenPooledLinear};
pub use pool::{adaptive_avg_pool2d, max_pool2d};
pub use update::{adam, descend, sgd};

use crate::batch_norm::{BatchNorm, BatchStatistics};
use crate::negative::Reduction;
use crate::plan::Window;
use candle_core::{DType, Result, Tensor, bail};

/// `max(x, 0)`, with PyTorch's gradient at 0, which is 0. NaN stays NaN and has no gradient.
///
/// # Errors
/// As candle's.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    let fixed = x.detach();
    // A choice, not a product: infinity times 0 is NaN.
    let rest = fixed.le(0.0)?.where_cond(&fixed.zeros_like()?, &fixed)?;
    fixed.gt(0.0)?.where_cond(x, &rest)
}

/// See [`crate::relu6`].
///
/// # Errors
/// As candle's.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    let six = (x.detach().zeros_like()? + 6.0)?;
    x.detach().ge(6.0)?.where_cond(&six, &relu(x)?)
}

/// See [`crate::conv2d`], and with kernels of one channel [`crate::depthwise_conv2d`]. Candle's strided gradients need an input that the windows cover exactly, so the rest is cut off first. No
/// window sees it.
///
/// # Errors
/// As candle's.
pub fn conv2d(x: &Tensor, weight: &Tensor, window: Window) -> Result<Tensor> {
    let (_, h, w, c) = x.dims4()?;
    let groups = c / weight.dim(1)?.max(1);
    let Window {
        kernel,
        stride,
        padding,
    } = window;
    let x = x
        .permute((0, 3, 1, 2))?
        .pad_with_zeros(2, padding, padding)?
        .pad_with_zeros(3, padding, padding)?;
    let Some((oh, ow)) = window.output((h, w)) else {
        bail!("conv2d: the {h}x{w} map is smaller than {window:?}");
    };
    let x = x
        .narrow(2, 0, (oh - 1) * stride + kernel.0)?
        .narrow(3, 0, (ow - 1) * stride + kernel.1)?
        .contiguous()?;
    x.conv2d(weight, 0, stride, 1, groups)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}

/// See [`crate::channels_last`].
///
/// # Errors
/// As candle's.
pub fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

/// See [`crate::normalize`].
///
/// # Errors
/// As candle's.
pub fn normalize(x: &Tensor, mean: &Tensor, std: &Tensor) -> Result<Tensor> {
    x.broadcast_sub(mean)?.broadcast_div(std)
}

/// See [`crate::negative_part`].
///
/// # Errors
/// As candle's.
pub fn negative_part(x: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let share = reduction.share(x.elem_count() / x.dim(0)?);
    relu(&x.neg()?)?.flatten_from(1)?.sum(1)? * share
}

/// See [`crate::linear`].
///
/// # Errors
/// As candle's.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activate: bool) -> Result<Tensor> {
    affine(&product(x, weight)?, None, Some(bias), None, activate)
}

/// See [`crate::pooled_linear`].
///
/// # Errors
/// As candle's.
pub fn pooled_linear(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    bins: (usize, usize),
    activate: bool,
) -> Result<Tensor> {
    linear(&adaptive_avg_pool2d(x, bins)?, weight, bias, activate)
}

/// `x (n, i)`, or maps flattened channels first, times the transpose of `weight (o, i)`.
fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    match x.rank() {
        4 => x
            .permute((0, 3, 1, 2))?
            .flatten_from(1)?
            .matmul(&weight.t()?),
        _ => x.matmul(&weight.t()?),
    }
}

/// See [`crate::option_a_shortcut`].
///
/// # Errors
/// As candle's.
pub fn option_a_shortcut(x: &Tensor, stride: usize, channels: usize) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
    // Every `stride`-th row and column as a view. The map is padded to a multiple of the stride.
    let even = x
        .pad_with_zeros(1, 0, oh * stride - h)?
        .pad_with_zeros(2, 0, ow * stride - w)?;
    let picked = even
        .reshape((n, oh, stride, ow, stride * c))?
        .narrow(2, 0, 1)?
        .narrow(4, 0, c)?
        .reshape((n, oh, ow, c))?;
    picked.pad_with_zeros(3, channels / 2, channels - channels / 2)
}

/// `act(a * scale + shift + residual)`, scale and shift per channel, see [`crate::Frozen`].
///
/// # Errors
/// As candle's.
pub fn affine(
    a: &Tensor,
    scale: Option<&Tensor>,
    shift: Option<&Tensor>,
    residual: Option<&Tensor>,
    activate: bool,
) -> Result<Tensor> {
    let y = scale.map_or(Ok(a.clone()), |scale| a.broadcast_mul(scale))?;
    let y = shift.map_or(Ok(y.clone()), |shift| y.broadcast_add(shift))?;
    let y = residual.map_or(Ok(y.clone()), |residual| y + residual)?;
    if activate { relu(&y) } else { Ok(y) }
}

/// See [`BatchNorm::eval`].
///
/// # Errors
/// As candle's.
pub fn batch_norm(
    layer: &BatchNorm<'_>,
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
) -> Result<Tensor> {
    let scale = (layer.gamma * (variance + layer.eps)?.sqrt()?.recip()?)?;
    let centred = x.broadcast_sub(mean)?;
    affine(
        &centred,
        Some(&scale),
        Some(layer.beta),
        layer.residual,
        layer.relu,
    )
}

/// See [`BatchNorm::train`].
///
/// # Errors
/// As candle's.
pub fn batch_norm_train(layer: &BatchNorm<'_>, x: &Tensor) -> Result<(Tensor, BatchStatistics)> {
    let (n, h, w, c) = x.dims4()?;
    let flat = x.reshape((n * h * w, c))?;
    let mean = flat.mean(0)?;
    let variance = flat.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    let y = batch_norm(layer, x, &mean, &variance)?;
    let wide = |t: &Tensor| t.detach().to_dtype(DType::F64)?.to_vec1::<f64>();
    Ok((
        y,
        BatchStatistics {
            mean: wide(&mean)?,
            variance: wide(&variance)?,
            count: n * h * w,
        },
    ))
}
