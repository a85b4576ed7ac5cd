//! The same operations as compositions of candle's own: what runs on a device other than the CPU, and on the CPU the second
//! witness of the tests.
//!
//! Channels-last maps go to candle's channels-first kernels and back. The gradients are candle's, except where they are wrong:
//! the maximum of a pooling window is chosen tap by tap, because candle's `max_pool2d` scales its gradient wrongly
//! and has none where windows overlap; and ReLU's gradient at 0 is PyTorch's.

use crate::batch_norm::{BatchNorm, BatchStatistics};
use crate::plan::Window;
use crate::update::{AdamStep, SgdStep};
use candle_core::{DType, Result, Tensor, Var, bail};

/// `max(x, 0)`, with the gradient of PyTorch's at 0, which is 0; NaN stays NaN, and has none.
///
/// # Errors
/// As candle's.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    let fixed = x.detach();
    // Chosen, not multiplied: the product of an infinity and 0 is NaN.
    let rest = fixed.le(0.0)?.where_cond(&fixed.zeros_like()?, &fixed)?;
    fixed.gt(0.0)?.where_cond(x, &rest)
}

/// See [`crate::conv2d`]. Strided gradients of candle need an input that its windows cover exactly; the rest is cut off first,
/// as no window sees it.
///
/// # Errors
/// As candle's.
pub fn conv2d(x: &Tensor, weight: &Tensor, window: Window) -> Result<Tensor> {
    let (_, h, w, _) = x.dims4()?;
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
    x.conv2d(weight, 0, stride, 1, 1)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}

/// See [`crate::max_pool2d`].
///
/// # Errors
/// As candle's.
pub fn max_pool2d(x: &Tensor, window: Window) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let Window {
        kernel,
        stride,
        padding,
    } = window;
    let Some((oh, ow)) = window.output((h, w)) else {
        bail!("max_pool2d: the {h}x{w} map is smaller than {window:?}");
    };
    // Rows enough for every window, then one strided view a tap. Padding repeats the pixels at the edge, which the window has anyway.
    let (ph, pw) = ((oh + kernel.0) * stride, (ow + kernel.1) * stride);
    let below = ph.saturating_sub(h + padding);
    let right = pw.saturating_sub(w + padding);
    let padded = x
        .pad_with_same(1, padding, below)?
        .pad_with_same(2, padding, right)?;
    let mut best: Option<Tensor> = None;
    for ky in 0..kernel.0 {
        for kx in 0..kernel.1 {
            let view = padded
                .narrow(1, ky, oh * stride)?
                .narrow(2, kx, ow * stride)?;
            let view = view
                .reshape((n, oh, stride, ow, stride * c))?
                .narrow(2, 0, 1)?
                .narrow(4, 0, c)?;
            let tap = view.reshape((n, oh, ow, c))?;
            best = Some(match best {
                None => tap,
                Some(best) => larger(&best, &tap)?,
            });
        }
    }
    match best {
        Some(best) => Ok(best),
        None => bail!("max_pool2d: {window:?} has no size"),
    }
}

/// NaN wins, and the first of two that are equal.
fn larger(best: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (a, b) = (best.detach(), x.detach());
    b.gt(&a)?.maximum(&b.ne(&b)?)?.where_cond(x, best)
}

/// See [`crate::adaptive_avg_pool2d`]: a product with a matrix of means along each axis.
///
/// # Errors
/// As candle's.
pub fn adaptive_avg_pool2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let means = |bins: usize, len: usize| {
        let mut matrix = vec![0.0; bins * len];
        for (i, row) in matrix.chunks_exact_mut(len).enumerate() {
            let range = crate::pool::bin_range(i, bins, len);
            let share = 1.0 / range.len() as f64;
            row[range].fill(share);
        }
        Tensor::from_vec(matrix, (bins, len), x.device())?.to_dtype(x.dtype())
    };
    // Rows first: (oh, h) by (n, h, w * c), then (ow, w) by (n * oh, w, c).
    let rows = means(size.0, h)?.broadcast_matmul(&x.reshape((n, h, w * c))?)?;
    means(size.1, w)?
        .broadcast_matmul(&rows.reshape((n * size.0, w, c))?)?
        .reshape((n, size.0, size.1, c))
}

/// See [`crate::linear`].
///
/// # Errors
/// As candle's.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activate: bool) -> Result<Tensor> {
    affine(&product(x, weight)?, None, Some(bias), None, activate)
}

/// `x (n, i)`, or maps flattened channels first, times the transpose of `weight (o, i)`.
pub(crate) fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    match x.rank() {
        4 => x
            .permute((0, 3, 1, 2))?
            .flatten_from(1)?
            .matmul(&weight.t()?),
        _ => x.matmul(&weight.t()?),
    }
}

/// See [`crate::descend`].
///
/// # Errors
/// As candle's.
pub fn descend(x: &Tensor, grad: &Tensor, lr: f64) -> Result<Tensor> {
    (x - (grad * lr)?)?.clamp(0f64, 1f64)
}

/// See [`crate::shortcut`].
///
/// # Errors
/// As candle's.
pub fn shortcut(x: &Tensor, stride: usize, channels: usize) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
    // Every `stride`-th row and column as a view: the map is widened so that it splits evenly.
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

/// See [`crate::sgd`].
///
/// # Errors
/// As candle's.
pub fn sgd(weight: &Var, velocity: Option<&Var>, grad: &Tensor, step: SgdStep) -> Result<()> {
    let w = weight.as_detached_tensor();
    let grad = (grad + (&w * step.weight_decay)?)?;
    let direction = if step.momentum == 0.0 {
        grad
    } else {
        let Some(velocity) = velocity else {
            bail!("sgd: momentum without a velocity");
        };
        let v = if step.first {
            grad.clone()
        } else {
            ((velocity.as_detached_tensor() * step.momentum)? + &grad)?
        };
        velocity.set(&v)?;
        if step.nesterov {
            (grad + (v * step.momentum)?)?
        } else {
            v
        }
    };
    weight.set(&(w - (direction * step.lr)?)?)
}

/// See [`crate::adam`].
///
/// # Errors
/// As candle's.
pub fn adam(weight: &Var, mean: &Var, square: &Var, grad: &Tensor, step: AdamStep) -> Result<()> {
    let w = weight.as_detached_tensor();
    let grad = (grad + (&w * step.weight_decay)?)?;
    let (b1, b2) = step.betas;
    let t = step.step as f64;
    let m = ((mean.as_detached_tensor() * b1)? + (&grad * (1.0 - b1))?)?;
    let v = ((square.as_detached_tensor() * b2)? + (grad.sqr()? * (1.0 - b2))?)?;
    mean.set(&m)?;
    square.set(&v)?;
    let denominator = ((v.sqrt()? / (1.0 - b2.powf(t)).sqrt())? + step.eps)?;
    weight.set(&(w - ((m / denominator)? * (step.lr / (1.0 - b1.powf(t))))?)?)
}
