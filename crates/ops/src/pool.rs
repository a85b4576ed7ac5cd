//! Pooling of channels-last maps.

use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::plan::Window;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Tensor, bail};

/// Maximum over each window of `x (n, h, w, c)`, padding left out: `(n, oh, ow, c)`. As in PyTorch the gradient goes to the
/// first maximum of a window in row-major order, and NaN wins.
///
/// # Errors
/// If the window does not fit the map, its padding exceeds half its size, or the type is neither f32 nor f64.
pub fn max_pool2d(tape: &mut Tape, x: &Tensor, window: Window) -> Result<Tensor> {
    if 2 * window.padding > window.kernel.0.min(window.kernel.1) {
        bail!(
            "max_pool2d: padding {} is more than half of the {:?} window",
            window.padding,
            window.kernel
        );
    }
    if !x.device().is_cpu() {
        return crate::portable::max_pool2d(x, window);
    }
    let (n, h, w, c) = x.dims4()?;
    let Some((oh, ow)) = window.output((h, w)) else {
        bail!("max_pool2d: the {h}x{w} map is smaller than {window:?}");
    };
    let x = x.contiguous()?;
    let pool = MaxPool(window);
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let elements = xs.elements::<T>()?;
        let y = per_image(n, oh * ow * c, None, |image, y: &mut [T]| {
            let x = &elements[image * h * w * c..];
            for (o, y) in y.chunks_exact_mut(c).enumerate() {
                let mut taps = pool.taps((o / ow, o % ow), (h, w));
                if let Some(first) = taps.next() {
                    y.copy_from_slice(&x[first * c..first * c + c]);
                }
                for tap in taps {
                    for (y, &x) in y.iter_mut().zip(&x[tap * c..]) {
                        *y = if x > *y || x.is_nan() { x } else { *y };
                    }
                }
            }
        });
        Tensor::from_vec(y, (n, oh, ow, c), x.device())?
    });
    Ok(tape.note(pool, &[&x], y, false))
}

/// Mean over the map of `x (n, h, w, c)`: `(n, c)`.
///
/// # Errors
/// If `x` has not four dimensions or is neither f32 nor f64.
pub fn global_avg_pool(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.mean((1, 2));
    }
    let (n, h, w, c) = x.dims4()?;
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let elements = xs.elements::<T>()?;
        let y = per_image(n, c, None, |image, y: &mut [T]| {
            for pixel in elements[image * h * w * c..][..h * w * c].chunks_exact(c) {
                for (y, &x) in y.iter_mut().zip(pixel) {
                    *y += x;
                }
            }
            for y in y.iter_mut() {
                *y /= T::of((h * w) as f64);
            }
        });
        Tensor::from_vec(y, (n, c), x.device())?
    });
    Ok(tape.note(GlobalAvgPool, &[&x], y, false))
}

struct MaxPool(Window);

impl MaxPool {
    /// Input coordinates of the window at output `(y, x)`, clipped to the map, in row-major order.
    fn taps(&self, (y, x): (usize, usize), (h, w): (usize, usize)) -> impl Iterator<Item = usize> {
        let Window {
            kernel,
            stride,
            padding,
        } = self.0;
        let clip = |o: usize, k: usize, n: usize| {
            (o * stride).saturating_sub(padding)..(o * stride + k).saturating_sub(padding).min(n)
        };
        let columns = clip(x, kernel.1, w);
        clip(y, kernel.0, h).flat_map(move |i| columns.clone().map(move |j| i * w + j))
    }
}

impl Operation for MaxPool {
    fn backward(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x] = inputs else {
            bail!("pooling has one input");
        };
        let (n, h, w, c) = x.dims4()?;
        let (_, oh, ow, _) = y.dims4()?;
        grads.fuse(x, |so_far, masked| by_dtype!(x.dtype(), T => {
            let (so_far, xs, ys, gs) = (so_far.map(View::of), View::of(x), View::of(y), View::of(&grad));
            let so_far = so_far.as_ref().map(View::elements::<T>).transpose()?;
            let (x_, y_, g_) = (xs.elements::<T>()?, ys.elements::<T>()?, gs.elements::<T>()?);
            let dx = per_image(n, h * w * c, so_far, |image, dx: &mut [T]| {
                let x = &x_[image * h * w * c..][..h * w * c];
                let mut left = vec![T::ZERO; c];
                for o in 0..oh * ow {
                    let at = (image * oh * ow + o) * c;
                    let y = &y_[at..at + c];
                    left.copy_from_slice(&g_[at..at + c]);
                    for tap in self.taps((o / ow, o % ow), (h, w)) {
                        let (x, dx) = (&x[tap * c..][..c], &mut dx[tap * c..][..c]);
                        for j in 0..c {
                            // The first that is not below the maximum, NaN included, takes all.
                            let taken = if x[j] < y[j] { T::ZERO } else { left[j] };
                            dx[j] += taken;
                            left[j] = if x[j] < y[j] { left[j] } else { T::ZERO };
                        }
                    }
                }
                if masked {
                    for (dx, &x) in dx.iter_mut().zip(x) {
                        *dx = if x > T::ZERO { *dx } else { T::ZERO };
                    }
                }
            });
            Tensor::from_vec(dx, x.shape(), x.device())
        }))
    }
}

struct GlobalAvgPool;

impl Operation for GlobalAvgPool {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x] = inputs else {
            bail!("pooling has one input");
        };
        let (n, h, w, c) = x.dims4()?;
        grads.fuse(x, |so_far, masked| {
            by_dtype!(x.dtype(), T => {
                let (so_far, xs, gs) = (so_far.map(View::of), View::of(x), View::of(&grad));
                let so_far = so_far.as_ref().map(View::elements::<T>).transpose()?;
                let (x_, g) = (xs.elements::<T>()?, gs.elements::<T>()?);
                let dx = per_image(n, h * w * c, so_far, |image, dx: &mut [T]| {
                    let x = &x_[image * h * w * c..][..h * w * c];
                    for (pixel, x) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                        for ((dx, &g), &x) in pixel.iter_mut().zip(&g[image * c..]).zip(x) {
                            let sum = *dx + g / T::of((h * w) as f64);
                            *dx = if masked && x <= T::ZERO { T::ZERO } else { sum };
                        }
                    }
                });
                Tensor::from_vec(dx, x.shape(), x.device())
            })
        })
    }
}

/// A result of `n` images of `size` elements each, one task an image, from a copy of `start`, or from zeros.
fn per_image<T: Element>(
    n: usize,
    size: usize,
    start: Option<&[T]>,
    f: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let mut out = start.map_or_else(|| vec![T::ZERO; n * size], <[T]>::to_vec);
    let shared = Shared::new(&mut out);
    for_each(n, |image| {
        // SAFETY: each task writes its own image.
        f(image, unsafe { shared.slice(image * size, size) });
    });
    out
}
