//! AID's activation term: the negative part of units. A frozen unit records it in its epilogue, see [`Noted`]. Other maps need a separate
//! pass.

use crate::elementwise::{chunks, sums};
use crate::kernel::{Element, Noted, PANEL, relu_of};
use crate::parallel::Shared;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{Result, Tensor};

/// How the units of an image's map are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

impl Reduction {
    /// The factor of a sum over `count` units.
    pub(crate) fn share(self, count: usize) -> f64 {
        match self {
            Self::Sum => 1.0,
            Self::Mean => 1.0 / count as f64,
        }
    }
}

/// See [`crate::negative_part`], which checks that there are images.
pub(crate) fn negative_part(tape: &mut Tape, x: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let share = reduction.share(x.elem_count() / x.dim(0)?);
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let sums = sums(View::of(&x).elements::<T>()?, x.dim(0)?, |x| relu_of(T::ZERO - x));
        scaled::<T>(&sums, share, &x)?
    });
    Ok(tape.note(Pass { share }, &[&x], y, false))
}

/// `sums` times `share` as a tensor on the device of `x`.
pub(crate) fn scaled<T: Element>(sums: &[f64], share: f64, x: &Tensor) -> Result<Tensor> {
    let values: Vec<T> = sums.iter().map(|sum| T::of(sum * share)).collect();
    Tensor::new(values.as_slice(), x.device())
}

struct Pass {
    share: f64,
}

impl Operation for Pass {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let share = self.share;
        Ok(Some(Described::new(Work::Negative { share })))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let x = &inputs[0];
        if !grads.wants(x) {
            return Ok(());
        }
        grads.fuse(x, |so_far, masked| {
            by_dtype!(x.dtype(), T => {
                let slopes = slopes::<T>(&grad, self.share)?;
                let (xs, so_far) = (View::of(x), so_far.map(View::of));
                let so_far = so_far.as_ref().map(View::elements::<T>).transpose()?;
                let image = x.elem_count() / slopes.len();
                // The output of a ReLU has no negative element. So with a mask, the term adds nothing.
                let dx = chunks(xs.elements::<T>()?, [], image, #[inline(always)] |start, x, []| {
                    for (at, x) in (start..).zip(x) {
                        let own = if *x < T::ZERO { slopes[at / image] } else { T::ZERO };
                        let g = so_far.map_or(own, |so_far| so_far[at] + own);
                        *x = if masked && *x <= T::ZERO { T::ZERO } else { g };
                    }
                });
                Tensor::from_vec(dx, x.shape(), x.device())
            })
        })
    }
}

/// The gradient of each image's negative units, from the gradient `(n)` of the term.
fn slopes<T: Element>(grad: &Tensor, share: f64) -> Result<Vec<T>> {
    let slope = |g: &T| T::of(-g.wide() * share);
    Ok(View::of(grad).elements::<T>()?.iter().map(slope).collect())
}

/// The term of a product, recorded by its epilogue.
pub(crate) struct NegativePart {
    /// The sum of each image.
    pub sums: Vec<f64>,
    pub share: f64,
    signs: Vec<u16>,
    channels: usize,
}

impl NegativePart {
    /// Runs `product`, whose result has the given images, pixels and channels.
    pub fn noted<T: Element>(
        (images, pixels, channels): (usize, usize, usize),
        reduction: Reduction,
        product: impl FnOnce(&Noted<'_, T>) -> Vec<T>,
    ) -> (Vec<T>, Self) {
        let panels = images * pixels * channels.div_ceil(PANEL);
        let (mut noted, mut signs) = (vec![T::ZERO; panels], vec![0; panels]);
        let y = product(&Noted {
            sums: Shared::new(&mut noted),
            signs: Shared::new(&mut signs),
            channels,
        });
        let part = Self {
            sums: sums(&noted, images, |x| x),
            share: reduction.share(pixels * channels),
            signs,
            channels,
        };
        (y, part)
    }

    /// The gradient of the product before its epilogue: the gradient `grad` of the result times the epilogue's `scale`, plus the gradient
    /// of this term, which `weights (n)` multiplies.
    ///
    /// # Errors
    /// If `weights` has another type.
    pub fn joined<T: Element>(
        &self,
        grad: &[T],
        scale: Option<&[T]>,
        weights: &Tensor,
    ) -> Result<Vec<T>> {
        let slopes = slopes::<T>(weights, self.share)?;
        let pixels = grad.len() / self.channels / slopes.len();
        let panels = self.channels.div_ceil(PANEL);
        let ones = vec![T::of(1.0); self.channels];
        let scale = scale.unwrap_or(&ones);
        Ok(chunks(
            grad,
            [],
            self.channels,
            #[inline(always)]
            |start, grad, []| {
                let first = start / self.channels;
                let signs = self.signs[first * panels..].chunks_exact(panels);
                let slopes = slopes[first / pixels..]
                    .iter()
                    .flat_map(|slope| std::iter::repeat_n(*slope, pixels))
                    .skip(first % pixels);
                let all = grad.chunks_exact_mut(self.channels);
                for ((pixel, signs), slope) in all.zip(signs).zip(slopes) {
                    let parts = pixel.chunks_mut(PANEL).zip(scale.chunks(PANEL));
                    for ((part, scale), &signs) in parts.zip(signs) {
                        match (part.as_mut_array::<PANEL>(), scale.as_array::<PANEL>()) {
                            (Some(part), Some(scale)) => join(part, scale, signs, slope),
                            _ => join(part, scale, signs, slope),
                        }
                    }
                }
            },
        ))
    }
}

/// `g * scale`, plus `slope` where the sign bit is set, for at most a panel of elements. For an array it compiles to one vector.
#[inline(always)]
fn join<T: Element>(
    part: &mut (impl AsMut<[T]> + ?Sized),
    scale: &(impl AsRef<[T]> + ?Sized),
    signs: u16,
    slope: T,
) {
    for (j, (g, &scale)) in part.as_mut().iter_mut().zip(scale.as_ref()).enumerate() {
        let own = if signs >> j & 1 == 1 { slope } else { T::ZERO };
        *g = *g * scale + own;
    }
}
