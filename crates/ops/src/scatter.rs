//! The input gradient of a convolution with few input channels, the first layer of every network.
//!
//! With channels as columns, thirteen of a panel's sixteen columns would be padding. And the gradient of a first layer is mostly zeros:
//! ReLU keeps half of it, a max pooling behind it a quarter. So each output pixel scatters: for each output channel whose gradient is not
//! 0, the pixel's patch of input gets that channel's kernel times the gradient.

use crate::kernel::{Element, Isa, PANEL};
use crate::parallel::{filled, for_each};
use crate::plan::Window;
use std::ops::Range;

/// The largest number of input channels.
pub(crate) const CHANNELS: usize = 3;

/// The kernel of each output channel, laid out as its patch of input.
#[derive(Debug)]
pub(crate) struct Patches<T> {
    window: Window,
    channels: (usize, usize),
    /// Panels per patch of `(kh, kw, channels.0)` elements.
    panels: usize,
    /// `(channels.1, panels * PANEL)`; elements past a patch are 0.
    weights: Vec<T>,
}

impl<T: Element> Patches<T> {
    /// Packs `weight (o, c, kh, kw)`; `at` returns an element.
    pub fn new(
        window: Window,
        channels: (usize, usize),
        at: impl Fn(usize, usize, usize, usize) -> T,
    ) -> Self {
        let ((kh, kw), (c, o)) = (window.kernel, channels);
        let panels = (kh * kw * c).div_ceil(PANEL);
        let mut weights = vec![T::ZERO; o * panels * PANEL];
        for (channel, patch) in weights.chunks_exact_mut(panels * PANEL).enumerate() {
            for (i, w) in patch[..kh * kw * c].iter_mut().enumerate() {
                *w = at(channel, i % c, i / c / kw, i / c % kw);
            }
        }
        Self {
            window,
            channels,
            panels,
            weights,
        }
    }

    /// The kernels `(o, width)`, each laid out as its patch of input.
    pub fn kernels(&self) -> &[T] {
        &self.weights
    }

    /// The gradient `(n, h, w, c)` of maps of `(h, w)` pixels, from `dy (n, oh, ow, o)`.
    pub fn product(
        &self,
        images: usize,
        (h, w): (usize, usize),
        (oh, ow): (usize, usize),
        dy: &[T],
    ) -> Vec<T> {
        let (c, o) = self.channels;
        assert_eq!(dy.len(), images * oh * ow * o, "dy is (n, oh, ow, o)");
        let kernels = T::kernels(Isa::current());
        let ((kh, kw), stride) = (self.window.kernel, self.window.stride);
        let zeros = vec![T::ZERO; h * w * c];
        // SAFETY: the images hold every element, and each begins as zeros.
        unsafe {
            filled(images * h * w * c, |out| {
                for_each(
                    images,
                    #[inline(always)]
                    |image| {
                        // SAFETY: each task writes its own image.
                        let dx = out.slice(image * h * w * c, h * w * c);
                        let dx = dx.write_copy_of_slice(&zeros);
                        let mut patch = vec![T::ZERO; self.panels * PANEL];
                        let pixels = dy[image * oh * ow * o..][..oh * ow * o].chunks_exact(o);
                        for (at, pixel) in pixels.enumerate() {
                            // SAFETY: `weights` has a patch for each of the `o` channels, and `patch` is as long as one.
                            kernels.patch(pixel, self.weights.as_ptr(), self.panels, &mut patch);
                            let (y, x) = (at / ow * stride, at % ow * stride);
                            let (ys, xs) = (self.inside(y, kh, h), self.inside(x, kw, w));
                            if xs.is_empty() {
                                continue; // the whole column is padding
                            }
                            let len = xs.len() * c;
                            for ky in ys {
                                let row = y + ky - self.window.padding;
                                let to = (row * w + x + xs.start - self.window.padding) * c;
                                let from = (ky * kw + xs.start) * c;
                                add(&mut dx[to..][..len], &patch[from..][..len]);
                            }
                        }
                    },
                );
            })
        }
    }

    /// The kernel indices whose input coordinate lies inside a map of `n` pixels; `at` is the output's first padded coordinate.
    fn inside(&self, at: usize, kernel: usize, n: usize) -> Range<usize> {
        let padding = self.window.padding;
        let first = padding.saturating_sub(at).min(kernel);
        let end = (n + padding).saturating_sub(at).min(kernel);
        first..end.max(first)
    }
}

#[inline(always)]
fn add<T: Element>(to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += *from;
    }
}
