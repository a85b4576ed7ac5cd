//! Moving elements: from channels-first images to the channels-last maps that the operations use, and the shortcut that only selects.

use crate::kernel::Element;
use crate::parallel::{filled, for_each};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{DType, Result, Tensor, bail};

/// See [`crate::channels_last`], which checks that there are pixels.
pub(crate) fn channels_last(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let contiguous = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let y = transpose(View::of(&contiguous).elements::<T>()?, n, c, h * w);
        Tensor::from_vec(y, (n, h, w, c), x.device())?
    });
    Ok(tape.note(ChannelsLast, &[x], y, false))
}

/// See [`crate::normalize`].
pub(crate) fn normalize(
    tape: &mut Tape,
    x: &Tensor,
    mean: &Tensor,
    std: &Tensor,
) -> Result<Tensor> {
    let y = x.broadcast_sub(mean)?.broadcast_div(std)?;
    let constants = [mean.detach(), std.detach()];
    Ok(tape.note(Normalize(constants), &[x], y.detach(), false))
}

/// Mean and standard deviation.
struct Normalize([Tensor; 2]);

impl Operation for Normalize {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let [mean, std] = &self.0;
        if mean.dtype() != DType::F32 {
            return Ok(None);
        }
        Ok(Some(Described::new(Work::Normalize {
            mean: mean.to_vec1()?,
            std: std.to_vec1()?,
        })))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let grad = grad.broadcast_div(&self.0[1])?;
        inputs.iter().try_for_each(|x| grads.add(x, grad.clone()))
    }
}

/// See [`crate::option_a_shortcut`], which checks that there is a stride.
pub(crate) fn option_a_shortcut(
    tape: &mut Tape,
    x: &Tensor,
    stride: usize,
    channels: usize,
) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
    let (before, wide) = (channels / 2, c + channels);
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let mut y = vec![T::ZERO; n * oh * ow * wide];
        let xs = View::of(&x);
        let x_ = xs.elements::<T>()?;
        for (to, from) in picked((n, h, w), stride).enumerate() {
            y[to * wide + before..][..c].copy_from_slice(&x_[from * c..][..c]);
        }
        Tensor::from_vec(y, (n, oh, ow, wide), x.device())?
    });
    Ok(tape.note(Shortcut { stride, before }, &[&x], y, false))
}

/// Every `stride`-th pixel of `n` maps, in order.
fn picked((n, h, w): (usize, usize, usize), stride: usize) -> impl Iterator<Item = usize> {
    (0..n * h)
        .filter(move |row| (row % h).is_multiple_of(stride))
        .flat_map(move |row| (0..w).step_by(stride).map(move |column| row * w + column))
}

struct Shortcut {
    stride: usize,
    before: usize,
}

impl Operation for Shortcut {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let Self { stride, before } = *self;
        Ok(Some(Described::new(Work::Shortcut { stride, before })))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x] = inputs else {
            bail!("a shortcut has one input");
        };
        let ((n, h, w, c), wide) = (x.dims4()?, y.dim(3)?);
        by_dtype!(x.dtype(), T => {
            let mut dx = vec![T::ZERO; x.elem_count()];
            let gs = View::of(&grad);
            let g = gs.elements::<T>()?;
            for (from, to) in picked((n, h, w), self.stride).enumerate() {
                dx[to * c..][..c].copy_from_slice(&g[from * wide + self.before..][..c]);
            }
            grads.add(x, Tensor::from_vec(dx, x.shape(), x.device())?)
        })
    }
}

struct ChannelsLast;

impl Operation for ChannelsLast {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::ChannelsLast)))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x] = inputs else {
            bail!("a transposition has one input");
        };
        let (n, c, h, w) = x.dims4()?;
        by_dtype!(x.dtype(), T => {
            let dx = transpose(View::of(&grad).elements::<T>()?, n, h * w, c);
            grads.add(x, Tensor::from_vec(dx, (n, c, h, w), x.device())?)
        })
    }
}

/// Transposes each of `n` matrices of `rows` by `columns`.
fn transpose<T: Element>(x: &[T], n: usize, rows: usize, columns: usize) -> Vec<T> {
    let size = rows * columns;
    // SAFETY: the images hold every element, and each place of one is the transpose of another.
    unsafe {
        filled(n * size, |out| {
            for_each(n, |image| {
                let from = &x[image * size..(image + 1) * size];
                // SAFETY: each task writes its own image.
                let to = out.slice(image * size, size);
                for (i, row) in from.chunks_exact(columns).enumerate() {
                    for (y, &x) in to[i..].iter_mut().step_by(rows).zip(row) {
                        y.write(x);
                    }
                }
            });
        })
    }
}
