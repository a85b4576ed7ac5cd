//! The public operations: each checks its arguments and calls its kernels.

mod frozen;

pub use frozen::{Frozen, FrozenPooledLinear};

use crate::batch_norm::{self, BatchNorm, BatchStatistics};
use crate::negative::{self, Reduction};
use crate::plan::Window;
use crate::tape::Tape;
use crate::update::{self, AdamStep, SgdStep};
use crate::{conv, layout, pool};
use candle_core::{D, Result, Tensor, Var, bail};

/// Convolution of `x (n, h, w, c)` with `weight (o, c, kh, kw)`, plus `bias (o)` if there is one, and ReLU if `relu`:
/// `(n, oh, ow, o)`.
///
/// # Errors
/// If the shapes do not fit, the window does not fit the map, or the type is neither f32 nor f64.
pub fn conv2d(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    window: Window,
) -> Result<Tensor> {
    conv::conv2d(tape, x, weight, bias, relu, window)
}

/// Convolution of each channel of `x (n, h, w, c)` with its own kernel in `weight (c, 1, kh, kw)`: `(n, oh, ow, c)`.
///
/// # Errors
/// If the shapes do not fit, the window does not fit the map, or the type is neither f32 nor f64.
pub fn depthwise_conv2d(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    window: Window,
) -> Result<Tensor> {
    crate::depthwise::depthwise_conv2d(tape, x, weight, window)
}

/// ReLU6, `min(max(x, 0), 6)`, of any shape. NaN stays NaN; the gradient is 0 at 0 and at 6.
///
/// # Errors
/// If the type is neither f32 nor f64.
pub fn relu6(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    crate::relu6::relu6(tape, x)
}

/// `x (n, i)` times the transpose of `weight (o, i)` plus `bias (o)`, and ReLU if `relu`: `(n, o)`. Maps `(n, h, w, c)` count as
/// `i = c * h * w` inputs, channels first, as PyTorch flattens them.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    relu: bool,
) -> Result<Tensor> {
    conv::linear(tape, x, weight, bias, relu)
}

/// [`adaptive_avg_pool2d`] of `x (n, h, w, c)` to `bins`, then [`linear`] with `weight (o, c * bins.0 * bins.1)` and `bias (o)`, then
/// ReLU if `relu`: `(n, o)`.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn pooled_linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    bins: (usize, usize),
    relu: bool,
) -> Result<Tensor> {
    require_pixels(x)?;
    crate::pooled_linear::pooled_linear(tape, x, weight, bias, bins, relu)
}

/// # Errors
/// If the maps have none: an average pooling would divide by 0.
fn require_pixels(x: &Tensor) -> Result<()> {
    let (_, h, w, _) = x.dims4()?;
    if h * w == 0 {
        bail!("pooled_linear: there are no pixels in {:?}", x.shape());
    }
    Ok(())
}

/// Maximum over each window of `x (n, h, w, c)`, without padding: `(n, oh, ow, c)`. As in PyTorch, the gradient goes to the first
/// maximum of a window in row-major order, and NaN wins.
///
/// # Errors
/// If the window has no size or no stride, does not fit the map, or its padding exceeds half its size, or the type is neither f32 nor f64.
pub fn max_pool2d(tape: &mut Tape, x: &Tensor, window: Window) -> Result<Tensor> {
    if window.stride * window.kernel.0 * window.kernel.1 == 0 {
        bail!("max_pool2d: {window:?} has no size or no stride");
    }
    if 2 * window.padding > window.kernel.0.min(window.kernel.1) {
        bail!(
            "max_pool2d: padding {} is more than half of the {:?} window",
            window.padding,
            window.kernel
        );
    }
    pool::max_pool2d(tape, x, window)
}

/// Means over `size` bins of `x (n, h, w, c)`: `(n, size.0, size.1, c)`.
///
/// As in PyTorch, bin `i` of `b` along an axis of `len` pixels begins at `floor(i * len / b)` and ends before
/// `ceil((i + 1) * len / b)`. Bins overlap if they do not divide the map, and share pixels if there are more bins than pixels.
///
/// # Errors
/// If `x` does not have four dimensions, a bin or the map is empty, or the type is neither f32 nor f64.
pub fn adaptive_avg_pool2d(tape: &mut Tape, x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (_, h, w, _) = x.dims4()?;
    if h * w == 0 || size.0 * size.1 == 0 {
        bail!("adaptive_avg_pool2d: no bins of {size:?} on a {h}x{w} map");
    }
    pool::adaptive_avg_pool2d(tape, x, size)
}

/// `(n, c, h, w)` to `(n, h, w, c)`, contiguous.
///
/// # Errors
/// If `x` does not have four dimensions, has no pixels, or is neither f32 nor f64.
pub fn channels_last(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    let (_, c, h, w) = x.dims4()?;
    if c * h * w == 0 {
        bail!("channels_last: there are no pixels in {:?}", x.shape());
    }
    layout::channels_last(tape, x)
}

/// `(x - mean) / std` per channel of `x (n, h, w, c)`.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn normalize(tape: &mut Tape, x: &Tensor, mean: &Tensor, std: &Tensor) -> Result<Tensor> {
    layout::normalize(tape, x, mean, std)
}

/// The shortcut without parameters of He et al., option A: every `stride`-th pixel of `x (n, h, w, c)`, with `channels / 2` zero
/// channels before its own and the rest of the `channels` behind: `(n, oh, ow, c + channels)`.
///
/// # Errors
/// If `x` does not have four dimensions, there is no stride, or the type is neither f32 nor f64.
pub fn option_a_shortcut(
    tape: &mut Tape,
    x: &Tensor,
    stride: usize,
    channels: usize,
) -> Result<Tensor> {
    if stride == 0 {
        bail!("shortcut: no stride");
    }
    layout::option_a_shortcut(tape, x, stride, channels)
}

/// Dropout: `x * mask`, any shape. `mask` is 0 for a dropped unit, and the inverse of the share of kept units for a kept one.
///
/// # Errors
/// If `x` and `mask` differ in shape or type.
pub fn dropout(tape: &mut Tape, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    crate::dropout::dropout(tape, x, mask)
}

/// The sum or mean of `max(-x, 0)` over each image of `x (n, ...)`: `(n)`. Its gradient at 0 is 0.
///
/// # Errors
/// If `x` has no images or is neither f32 nor f64.
pub fn negative_part(tape: &mut Tape, x: &Tensor, reduction: Reduction) -> Result<Tensor> {
    if x.dim(0)? == 0 {
        bail!("negative_part: there are no images in {:?}", x.shape());
    }
    negative::negative_part(tape, x, reduction)
}

impl BatchNorm<'_> {
    /// Normalises `x (n, h, w, c)` with running statistics `mean` and `variance` (c).
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn eval(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        mean: &Tensor,
        variance: &Tensor,
    ) -> Result<Tensor> {
        let channels = x.dim(D::Minus1)?;
        if mean.dims() != [channels] || variance.dims() != [channels] {
            bail!(
                "batch_norm: statistics {:?} and {:?} do not fit the channels of {:?}",
                mean.shape(),
                variance.shape(),
                x.shape()
            );
        }
        batch_norm::eval(self, tape, x, mean, variance)
    }

    /// Normalises `x (n, h, w, c)` with its own mean and biased variance. It returns them for the running statistics.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn train(&self, tape: &mut Tape, x: &Tensor) -> Result<(Tensor, BatchStatistics)> {
        batch_norm::train(self, tape, x)
    }
}

/// `g += wd * w; v = momentum * v + g; w -= lr * (g + momentum * v)` with Nesterov, else `w -= lr * v`. Without momentum there is no velocity.
///
/// # Errors
/// If the shapes differ, the type is neither f32 nor f64, or there is momentum and no velocity.
pub fn sgd(weight: &Var, velocity: Option<&Var>, grad: &Tensor, step: SgdStep) -> Result<()> {
    update::sgd(weight, velocity, grad, step)
}

/// Adam with bias correction: `w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn adam(weight: &Var, mean: &Var, square: &Var, grad: &Tensor, step: AdamStep) -> Result<()> {
    update::adam(weight, mean, square, grad, step)
}

/// A step of gradient descent on pixels: `clamp(x - lr * grad, 0, 1)`. NaN stays NaN.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn descend(x: &Tensor, grad: &Tensor, lr: f64) -> Result<Tensor> {
    if x.shape() != grad.shape() {
        bail!(
            "gradient descent: {:?} for pixels of {:?}",
            grad.shape(),
            x.shape()
        );
    }
    update::descend(x, grad, lr)
}
