//! Pooling as compositions of candle's operations.

use crate::plan::Window;
use crate::pool::bin_range;
use candle_core::{Result, Tensor, bail};

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
    // Enough rows for every window, then one strided view per tap. Padding repeats edge pixels, which the window already contains.
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

/// The larger value. NaN wins, and the first of two equal values.
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
            let range = bin_range(i, bins, len);
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
