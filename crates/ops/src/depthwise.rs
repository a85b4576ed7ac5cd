//! Convolution of each channel with a kernel of its own, as in MobileNets.
//!
//! Every element is a sum over the taps in the kernel's order, without fused multiply-adds. So its bits depend on its position alone, as
//! those of the products do.

use crate::elementwise::column_sums;
use crate::kernel::Element;
use crate::plan::Window;
use crate::pool::per_image;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{DType, Result, Tensor, bail};

/// See [`crate::depthwise_conv2d`].
pub(crate) fn depthwise_conv2d(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    window: Window,
) -> Result<Tensor> {
    let sizes = Sizes::new(x, weight, window)?;
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let y = by_dtype!(x.dtype(), T => {
        let (xs, ws) = (View::of(&x), View::of(&weight));
        let (elements, kernel) = (xs.elements::<T>()?, by_tap(ws.elements::<T>()?, sizes.channels));
        let y = per_image(sizes.images, sizes.output(), None, #[inline(always)] |image, y: &mut [T]| {
            let x = &elements[image * sizes.input()..][..sizes.input()];
            sizes.each_tap(#[inline(always)] |tap, from, to| {
                let weight = &kernel[tap * sizes.channels..][..sizes.channels];
                let x = &x[from * sizes.channels..][..sizes.channels];
                let y = &mut y[to * sizes.channels..][..sizes.channels];
                for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
                    *y += x * weight;
                }
            });
        });
        let (oh, ow) = sizes.out;
        Tensor::from_vec(y, (sizes.images, oh, ow, sizes.channels), x.device())?
    });
    Ok(tape.note(Depthwise(sizes), &[&x, &weight], y, false))
}

/// The kernels of all channels, tap by tap instead of channel by channel.
fn by_tap<T: Element>(weight: &[T], channels: usize) -> Vec<T> {
    let taps = weight.len() / channels.max(1);
    let tap = |tap| weight.iter().skip(tap).step_by(taps).copied();
    (0..taps).flat_map(tap).collect()
}

/// The sizes of a depthwise convolution.
#[derive(Clone, Copy)]
struct Sizes {
    images: usize,
    map: (usize, usize),
    out: (usize, usize),
    channels: usize,
    window: Window,
}

impl Sizes {
    fn new(x: &Tensor, weight: &Tensor, window: Window) -> Result<Self> {
        let ((images, h, w, channels), (kh, kw)) = (x.dims4()?, window.kernel);
        if weight.dims() != [channels, 1, kh, kw] || window.stride == 0 {
            bail!(
                "depthwise_conv2d: input {:?} (n, h, w, c) and weight {:?} (c, 1, kh, kw) do not fit {window:?}",
                x.shape(),
                weight.shape()
            );
        }
        let Some(out) = window.output((h, w)) else {
            bail!("depthwise_conv2d: the {h}x{w} map is smaller than {window:?}");
        };
        Ok(Self {
            images,
            map: (h, w),
            out,
            channels,
            window,
        })
    }

    /// The elements of an image before the convolution.
    fn input(&self) -> usize {
        self.map.0 * self.map.1 * self.channels
    }

    /// The elements of an image after it.
    fn output(&self) -> usize {
        self.out.0 * self.out.1 * self.channels
    }

    /// Calls `f` with each tap on the map, the pixel that it reads and the pixel that it adds to; output pixels in order, then taps.
    #[inline(always)]
    fn each_tap(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (kernel, (_, w)) = (self.window.kernel, self.map);
        let columns: Vec<_> = (0..self.out.1)
            .map(|o| self.window.taps(o, kernel.1, w))
            .collect();
        for row in 0..self.out.0 {
            let rows = self.window.taps(row, kernel.0, self.map.0);
            for (column, columns) in columns.iter().enumerate() {
                for &(ky, y) in &rows {
                    for &(kx, x) in columns {
                        f(ky * kernel.1 + kx, y * w + x, row * self.out.1 + column);
                    }
                }
            }
        }
    }
}

struct Depthwise(Sizes);

impl Operation for Depthwise {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let [_, weight] = inputs else {
            bail!("a depthwise convolution has two inputs");
        };
        if weight.dtype() != DType::F32 {
            return Ok(None);
        }
        let window = self.0.window;
        if weight.is_variable() {
            return Ok(Some(Described {
                parameters: vec![1],
                ..Described::new(Work::DepthwiseConvolution(window))
            }));
        }
        let weights = by_tap(View::of(weight).elements::<f32>()?, self.0.channels);
        Ok(Some(Described::new(Work::Depthwise { weights, window })))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x, weight] = inputs else {
            bail!("a depthwise convolution has two inputs");
        };
        let (sizes, c) = (self.0, self.0.channels);
        by_dtype!(x.dtype(), T => {
            let (xs, ws, gs) = (View::of(x), View::of(weight), View::of(&grad));
            let (elements, g) = (xs.elements::<T>()?, gs.elements::<T>()?);
            if grads.wants(x) {
                let kernel = by_tap(ws.elements::<T>()?, c);
                let dx = per_image(sizes.images, sizes.input(), None, #[inline(always)] |image, dx: &mut [T]| {
                    let g = &g[image * sizes.output()..][..sizes.output()];
                    sizes.each_tap(#[inline(always)] |tap, from, to| {
                        let (weight, g) = (&kernel[tap * c..][..c], &g[to * c..][..c]);
                        for ((dx, &g), &weight) in dx[from * c..][..c].iter_mut().zip(g).zip(weight) {
                            *dx += g * weight;
                        }
                    });
                });
                grads.add(x, Tensor::from_vec(dx, x.shape(), x.device())?)?;
            }
            if grads.wants(weight) {
                let taps = sizes.window.kernel.0 * sizes.window.kernel.1;
                let mut dw = vec![T::ZERO; c * taps];
                for tap in 0..taps {
                    // What the tap reads for each output pixel: 0 on padding.
                    let read = per_image(sizes.images, sizes.output(), None, #[inline(always)] |image, read: &mut [T]| {
                        let x = &elements[image * sizes.input()..][..sizes.input()];
                        sizes.each_tap(#[inline(always)] |of, from, to| {
                            if of == tap {
                                read[to * c..][..c].copy_from_slice(&x[from * c..][..c]);
                            }
                        });
                    });
                    let [sums] = column_sums([&read, g], c, #[inline(always)] |[x, g], [sums]| {
                        for ((sum, &x), &g) in sums.iter_mut().zip(x).zip(g) {
                            *sum += x * g;
                        }
                    });
                    for (channel, sum) in sums.into_iter().enumerate() {
                        dw[channel * taps + tap] = T::of(sum);
                    }
                }
                grads.add(weight, Tensor::from_vec(dw, weight.shape(), weight.device())?)?;
            }
        });
        Ok(())
    }
}
