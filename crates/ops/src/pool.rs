//! Pooling of channels-last maps.

use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::plan::Window;
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Maximum over each window of `x (n, h, w, c)`, padding left out: `(n, oh, ow, c)`. As in PyTorch the gradient goes to the
/// first maximum of a window in row-major order, and NaN wins.
///
/// # Errors
/// If the window does not fit the map, its padding exceeds half its size, or the type is neither f32 nor f64.
pub fn max_pool2d(x: &Tensor, window: Window) -> Result<Tensor> {
    if 2 * window.padding > window.kernel.0.min(window.kernel.1) {
        bail!(
            "max_pool2d: padding {} is more than half of the {:?} window",
            window.padding,
            window.kernel
        );
    }
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(MaxPool(window))
    } else {
        crate::portable::max_pool2d(x, window)
    }
}

/// Mean over the map of `x (n, h, w, c)`: `(n, c)`.
///
/// # Errors
/// If `x` has not four dimensions or is neither f32 nor f64.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(GlobalAvgPool)
    } else {
        x.mean((1, 2))
    }
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

    fn output(&self, map: (usize, usize)) -> Result<(usize, usize)> {
        self.0.output(map).ok_or_else(|| {
            candle_core::Error::Msg(format!(
                "max_pool2d: the {map:?} map is smaller than {:?}",
                self.0
            ))
            .bt()
        })
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, h, w, c) = layout.shape().dims4()?;
        let (oh, ow) = self.output((h, w))?;
        by_dtype!(storage.dtype(), T => {
            let x = elements::<T>(storage, layout)?;
            let y = per_image(n, oh * ow * c, |image, y: &mut [T]| {
                let x = &x[image * h * w * c..];
                for (o, y) in y.chunks_exact_mut(c).enumerate() {
                    let mut taps = self.taps((o / ow, o % ow), (h, w));
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
            result(y, (n, oh, ow, c))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, h, w, c) = x.dims4()?;
        let (oh, ow) = self.output((h, w))?;
        let grad = grad.contiguous()?;
        by_dtype!(x.dtype(), T => {
            let (xs, ys, gs) = (View::of(x), View::of(y), View::of(&grad));
            let (x_, y_, g_) = (xs.elements::<T>()?, ys.elements::<T>()?, gs.elements::<T>()?);
            let dx = per_image(n, h * w * c, |image, dx: &mut [T]| {
                let x = &x_[image * h * w * c..];
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
            });
            Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
        })
    }
}

struct GlobalAvgPool;

impl CustomOp1 for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global-avg-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, h, w, c) = layout.shape().dims4()?;
        by_dtype!(storage.dtype(), T => {
            let x = elements::<T>(storage, layout)?;
            let y = per_image(n, c, |image, y: &mut [T]| {
                for pixel in x[image * h * w * c..][..h * w * c].chunks_exact(c) {
                    for (y, &x) in y.iter_mut().zip(pixel) {
                        *y += x;
                    }
                }
                for y in y.iter_mut() {
                    *y /= T::of((h * w) as f64);
                }
            });
            result(y, (n, c))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, h, w, c) = x.dims4()?;
        let grad = grad.contiguous()?;
        by_dtype!(x.dtype(), T => {
            let gs = View::of(&grad);
            let g = gs.elements::<T>()?;
            let dx = per_image(n, h * w * c, |image, dx: &mut [T]| {
                for pixel in dx.chunks_exact_mut(c) {
                    for (dx, &g) in pixel.iter_mut().zip(&g[image * c..]) {
                        *dx = g / T::of((h * w) as f64);
                    }
                }
            });
            Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
        })
    }
}

/// A result of `n` images of `size` elements each, one task an image, from zeros.
fn per_image<T: Element>(n: usize, size: usize, f: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let mut out = vec![T::ZERO; n * size];
    let shared = Shared::new(&mut out);
    for_each(n, |image| {
        // SAFETY: each task writes its own image.
        f(image, unsafe { shared.slice(image * size, size) });
    });
    out
}
