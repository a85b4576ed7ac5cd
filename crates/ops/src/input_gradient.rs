//! The gradient of a convolution with respect to its input, in one of two forms.
//!
//! *Taps*: each input pixel gathers the output pixels that read it; a row of the product is a pixel, its columns are the input
//! channels. With three input channels thirteen of sixteen columns would be padding, so there a row is a *block* of input
//! pixels, whose channels are columns side by side: the 7x7 stem of a ResNet becomes a product of 12 columns instead of 4
//! products of 3.

use crate::conv::as_map;
use crate::gemm::{Packed, planned};
use crate::kernel::{Element, Epilogue, PANEL};
use crate::parallel::{filled, for_each};
use crate::plan::{Plan, Window};
use crate::tape::Gradients;
use crate::tensor::View;
use candle_core::{Result, Tensor};

/// The side of the pixel blocks for `channels` input channels: 1 is the form by taps.
fn block(window: Window, channels: usize) -> usize {
    let side = window.stride.max(2);
    if side * side * channels <= PANEL {
        side
    } else {
        1
    }
}

/// The plan for maps of one size; `channels` are the convolution's input and output channels.
pub(crate) fn plan(window: Window, map: (usize, usize), channels: (usize, usize)) -> Option<Plan> {
    match block(window, channels.0) {
        1 => Plan::backward(window, map, channels),
        side => Plan::blocks(window, map, channels, side),
    }
}

/// Packs `weight (o, c, kh, kw)`; each output channel is multiplied by `scale` where there is one.
pub(crate) fn pack<T: Element>(
    weight: &[T],
    scale: Option<&[T]>,
    o: usize,
    c: usize,
    window: Window,
) -> Packed<T> {
    let (kh, kw) = window.kernel;
    let scaled = |channel: usize, n: usize, ky: usize, kx: usize| {
        let w = weight[((channel * c + n) * kh + ky) * kw + kx];
        scale.map_or(w, |scale| w * scale[channel])
    };
    match block(window, c) {
        1 => Packed::new((kh * kw, o), c, |tap, channel, n| {
            let w = weight[(channel * c + n) * kh * kw + kh * kw - 1 - tap];
            scale.map_or(w, |scale| w * scale[channel])
        }),
        side => {
            let (rows, columns) = (window.reach(kh, side), window.reach(kw, side));
            Packed::new(
                (rows.len() * columns.len(), o),
                side * side * c,
                |tap, channel, n| {
                    let (y, x, n) = (n / (side * c), n / c % side, n % c);
                    let ky = window.tap(y, rows.start + (tap / columns.len()) as isize, kh);
                    let kx = window.tap(x, columns.start + (tap % columns.len()) as isize, kw);
                    ky.zip(kx)
                        .map_or(T::ZERO, |(ky, kx)| scaled(channel, n, ky, kx))
                },
            )
        }
    }
}

/// Adds the gradient `(n, h, w, c)` of `x`, which `dy` makes, to `grads`.
pub(crate) fn add<T: Element>(
    grads: &mut Gradients,
    x: &Tensor,
    dy: &Tensor,
    plan: &Plan,
    panels: &Packed<T>,
    window: Window,
) -> Result<()> {
    let (images, h, w, c) = as_map(x.shape())?;
    let dy = View::of(dy);
    let dy = dy.elements::<T>()?;
    let tensor = |dx: Vec<T>| Tensor::from_vec(dx, x.shape(), x.device());
    match block(window, c) {
        1 => grads.fuse(x, |so_far, masked| {
            let (so_far, x) = (so_far.map(View::of), View::of(x));
            let epilogue = Epilogue {
                residual: so_far.as_ref().map(View::elements).transpose()?,
                mask: masked.then(|| x.elements()).transpose()?,
                ..Epilogue::default()
            };
            tensor(planned(plan, images, dy, panels, epilogue))
        }),
        side => {
            let blocks = planned(plan, images, dy, panels, Epilogue::default());
            grads.add(x, tensor(unblock(&blocks, images, (h, w), c, side))?)
        }
    }
}

/// From blocks `(n, h / side, w / side, side, side, c)`, rounded up, to pixels `(n, h, w, c)`.
fn unblock<T: Element>(
    blocks: &[T],
    images: usize,
    (h, w): (usize, usize),
    c: usize,
    side: usize,
) -> Vec<T> {
    let across = w.div_ceil(side);
    let size = h.div_ceil(side) * across * side * side * c;
    // SAFETY: the images hold every element, and the rows of an image are cut into stretches that blocks have.
    unsafe {
        filled(images * h * w * c, |out| {
            for_each(images, |image| {
                let blocks = &blocks[image * size..(image + 1) * size];
                // SAFETY: each task writes its own image.
                let pixels = out.slice(image * h * w * c, h * w * c);
                for (y, row) in pixels.chunks_exact_mut(w * c).enumerate() {
                    for (x, stretch) in row.chunks_mut(side * c).enumerate() {
                        let from = (((y / side) * across + x) * side + y % side) * side * c;
                        stretch.write_copy_of_slice(&blocks[from..from + stretch.len()]);
                    }
                }
            });
        })
    }
}
