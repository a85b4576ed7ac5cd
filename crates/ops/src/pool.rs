//! Pooling of channels-last maps.

use crate::kernel::{Element, PANEL, masked_by};
use crate::parallel::{filled, for_each};
use crate::plan::Window;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{Result, Tensor, bail};

/// See [`crate::max_pool2d`], which checks the window.
pub(crate) fn max_pool2d(tape: &mut Tape, x: &Tensor, window: Window) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let Some((oh, ow)) = window.output((h, w)) else {
        bail!("max_pool2d: the {h}x{w} map is smaller than {window:?}");
    };
    let x = x.contiguous()?;
    let pool = MaxPool(window);
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let elements = xs.elements::<T>()?;
        let y = per_image(n, oh * ow * c, None, #[inline(always)] |image, y: &mut [T]| {
            let x = &elements[image * h * w * c..];
            let mut taps = Vec::with_capacity(window.kernel.0 * window.kernel.1);
            for (o, y) in y.chunks_exact_mut(c).enumerate() {
                taps.clear();
                taps.extend(pool.taps((o / ow, o % ow), (h, w)).map(|tap| tap * c));
                // A block of channels at a time: its maxima stay in registers.
                let mut blocks = y.chunks_exact_mut(PANEL);
                let mut at = 0;
                for y in blocks.by_ref() {
                    let mut best: [T; PANEL] = std::array::from_fn(|j| x[taps[0] + at + j]);
                    for &tap in &taps[1..] {
                        let x = &x[tap + at..][..PANEL];
                        for j in 0..PANEL {
                            best[j] = larger(best[j], x[j]);
                        }
                    }
                    y.copy_from_slice(&best);
                    at += PANEL;
                }
                for (j, y) in blocks.into_remainder().iter_mut().enumerate() {
                    *y = taps.iter().map(|tap| x[tap + at + j]).reduce(larger).unwrap_or(*y);
                }
            }
        });
        Tensor::from_vec(y, (n, oh, ow, c), x.device())?
    });
    Ok(tape.note(pool, &[&x], y, false))
}

/// See [`crate::adaptive_avg_pool2d`], which checks that there is something to average.
pub(crate) fn adaptive_avg_pool2d(
    tape: &mut Tape,
    x: &Tensor,
    size: (usize, usize),
) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let elements = xs.elements::<T>()?;
        let y = per_image(n, size.0 * size.1 * c, None, #[inline(always)] |image, y: &mut [T]| {
            let x = &elements[image * h * w * c..][..h * w * c];
            for (o, y) in y.chunks_exact_mut(c).enumerate() {
                let (pixels, area) = bin((o / size.1, o % size.1), size, (h, w));
                for pixel in pixels {
                    for (y, &x) in y.iter_mut().zip(&x[pixel * c..][..c]) {
                        *y += x;
                    }
                }
                for y in y.iter_mut() {
                    *y /= T::of(area as f64);
                }
            }
        });
        Tensor::from_vec(y, (n, size.0, size.1, c), x.device())?
    });
    Ok(tape.note(AdaptiveAvgPool(size), &[&x], y, false))
}

/// The pixels of bin `i` of `bins` along an axis of `len` pixels.
pub(crate) fn bin_range(i: usize, bins: usize, len: usize) -> std::ops::Range<usize> {
    i * len / bins..((i + 1) * len).div_ceil(bins)
}

/// The pixels of a bin in row-major order, and their number.
fn bin(
    (y, x): (usize, usize),
    size: (usize, usize),
    (h, w): (usize, usize),
) -> (impl Iterator<Item = usize>, usize) {
    let (rows, columns) = (bin_range(y, size.0, h), bin_range(x, size.1, w));
    let area = rows.len() * columns.len();
    (
        rows.flat_map(move |i| columns.clone().map(move |j| i * w + j)),
        area,
    )
}

/// The larger value. NaN wins, and the first of two equal values.
#[inline(always)]
#[allow(clippy::eq_op)]
fn larger<T: Element>(best: T, x: T) -> T {
    if x > best || x != x { x } else { best }
}

struct MaxPool(Window);

impl MaxPool {
    /// Input coordinates of the window at output `(y, x)`, clipped to the map, in row-major order.
    fn taps(
        &self,
        (y, x): (usize, usize),
        (h, w): (usize, usize),
    ) -> impl DoubleEndedIterator<Item = usize> {
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
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::MaxPool(self.0))))
    }

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
            let dx = per_image(n, h * w * c, so_far, #[inline(always)] |image, dx: &mut [T]| {
                let x = &x_[image * h * w * c..][..h * w * c];
                let mut winners = vec![0u32; c];
                for o in 0..oh * ow {
                    let at = (image * oh * ow + o) * c;
                    let (y, g) = (&y_[at..at + c], &g_[at..at + c]);
                    // The first pixel that is not below the maximum, or NaN, gets the gradient. In reverse order it is written last.
                    for tap in self.taps((o / ow, o % ow), (h, w)).rev() {
                        let x = &x[tap * c..][..c];
                        for j in 0..c {
                            winners[j] = if x[j] < y[j] { winners[j] } else { tap as u32 };
                        }
                    }
                    for (j, (&tap, &g)) in winners.iter().zip(g).enumerate() {
                        dx[tap as usize * c + j] += g;
                    }
                }
                if masked {
                    mask(dx, x);
                }
            });
            Tensor::from_vec(dx, x.shape(), x.device())
        }))
    }
}

struct AdaptiveAvgPool((usize, usize));

impl Operation for AdaptiveAvgPool {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::AveragePool(self.0))))
    }

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
        let ((n, h, w, c), size) = (x.dims4()?, self.0);
        grads.fuse(x, |so_far, masked| {
            by_dtype!(x.dtype(), T => {
                let (so_far, xs, gs) = (so_far.map(View::of), View::of(x), View::of(&grad));
                let so_far = so_far.as_ref().map(View::elements).transpose()?;
                let (x_, g_) = (xs.elements::<T>()?, gs.elements::<T>()?);
                let dx = per_image(n, h * w * c, so_far, #[inline(always)] |image, dx: &mut [T]| {
                    let g = &g_[image * size.0 * size.1 * c..][..size.0 * size.1 * c];
                    for (o, g) in g.chunks_exact(c).enumerate() {
                        let (pixels, area) = bin((o / size.1, o % size.1), size, (h, w));
                        for pixel in pixels {
                            for (dx, &g) in dx[pixel * c..][..c].iter_mut().zip(g) {
                                *dx += g / T::of(area as f64);
                            }
                        }
                    }
                    if masked {
                        mask(dx, &x_[image * h * w * c..]);
                    }
                });
                Tensor::from_vec(dx, x.shape(), x.device())
            })
        })
    }
}

/// The gradient of a ReLU whose output was `y`.
#[inline(always)]
fn mask<T: Element>(grad: &mut [T], y: &[T]) {
    for (g, &y) in grad.iter_mut().zip(y) {
        *g = masked_by(*g, y);
    }
}

/// A result of `n` images of `size` elements each, with one task per image. Images start as copies of `start`, or as zeros.
pub(crate) fn per_image<T: Element>(
    n: usize,
    size: usize,
    start: Option<&[T]>,
    f: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let zeros = vec![T::ZERO; if start.is_none() { size } else { 0 }];
    // SAFETY: the images hold every element, and each begins as a copy.
    unsafe {
        filled(n * size, |out| {
            for_each(
                n,
                #[inline(always)]
                |image| {
                    let start = start.map_or(&zeros[..], |start| &start[image * size..][..size]);
                    // SAFETY: each task writes its own image.
                    let out = out.slice(image * size, size);
                    f(image, out.write_copy_of_slice(start));
                },
            );
        })
    }
}
