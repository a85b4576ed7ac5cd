//! AID's activation term: what units leave negative. Of a frozen unit it is noted on the way, see [`Noted`]; of any other map it takes a
//! pass of its own.

use crate::activation::relu_of;
use crate::elementwise::{chunks, map, sum, zip};
use crate::kernel::{Element, Noted, PANEL};
use crate::parallel::Shared;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Tensor};

/// How the units of a map are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

impl Reduction {
    /// What a sum over `count` units is multiplied by.
    fn share(self, count: usize) -> f64 {
        match self {
            Self::Sum => 1.0,
            Self::Mean => 1.0 / count as f64,
        }
    }
}

/// What `max(-x, 0)` adds up to over all of `x`, as a scalar. Gradient 0 at 0.
///
/// # Errors
/// If `x` is neither f32 nor f64.
pub fn negative_part(tape: &mut Tape, x: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let share = reduction.share(x.elem_count());
    if !x.device().is_cpu() {
        return crate::portable::relu(&x.neg()?)?.sum_all()? * share;
    }
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let total = sum(View::of(&x).elements::<T>()?, |x| relu_of(T::ZERO - x));
        Tensor::new(T::of(total * share), x.device())?
    });
    Ok(tape.note(Pass { share }, &[&x], y, false))
}

struct Pass {
    share: f64,
}

impl Operation for Pass {
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
        grads.fuse(x, |so_far, masked| by_dtype!(x.dtype(), T => {
            let slope = T::of(-grad.to_scalar::<T>()?.wide() * self.share);
            let xs = View::of(x);
            let x_ = xs.elements::<T>()?;
            // Nothing is negative where a ReLU was: a mask leaves what is there.
            let own = |x: T| if x < T::ZERO { slope } else { T::ZERO };
            let kept = |x: T, g: T| if masked && x <= T::ZERO { T::ZERO } else { g };
            let dx = match so_far {
                None => map(x_, |x| kept(x, own(x))),
                Some(so_far) => zip(x_, View::of(so_far).elements::<T>()?, |x, g| kept(x, g + own(x))),
            };
            Tensor::from_vec(dx, x.shape(), x.device())
        }))
    }
}

/// The term of a product whose epilogue noted it.
pub(crate) struct NegativePart {
    pub value: f64,
    signs: Vec<u16>,
    channels: usize,
    share: f64,
}

impl NegativePart {
    /// Of `product`, whose result is a map of so many pixels and channels.
    pub fn noted<T: Element>(
        (pixels, channels): (usize, usize),
        reduction: Reduction,
        product: impl FnOnce(&Noted<'_, T>) -> Vec<T>,
    ) -> (Vec<T>, Self) {
        let panels = pixels * channels.div_ceil(PANEL);
        let (mut sums, mut signs) = (vec![T::ZERO; panels], vec![0; panels]);
        let y = product(&Noted {
            sums: Shared::new(&mut sums),
            signs: Shared::new(&mut signs),
            channels,
        });
        let share = reduction.share(pixels * channels);
        let part = Self {
            value: sum(&sums, |x| x) * share,
            signs,
            channels,
            share,
        };
        (y, part)
    }

    /// The gradient of the product before its epilogue: `grad`, that of the result, times the epilogue's `scale`, and this term's
    /// of `weight`.
    pub fn joined<T: Element>(&self, grad: &[T], scale: Option<&[T]>, weight: T) -> Vec<T> {
        let slope = T::of(-weight.wide() * self.share);
        let panels = self.channels.div_ceil(PANEL);
        let ones = vec![T::of(1.0); self.channels];
        let scale = scale.unwrap_or(&ones);
        chunks(
            grad,
            [],
            self.channels,
            #[inline(always)]
            |start, grad, []| {
                let signs = self.signs[start / self.channels * panels..].chunks_exact(panels);
                for (pixel, signs) in grad.chunks_exact_mut(self.channels).zip(signs) {
                    let parts = pixel.chunks_mut(PANEL).zip(scale.chunks(PANEL));
                    for ((part, scale), &signs) in parts.zip(signs) {
                        match (part.as_mut_array::<PANEL>(), scale.as_array::<PANEL>()) {
                            (Some(part), Some(scale)) => join(part, scale, signs, slope),
                            _ => join(part, scale, signs, slope),
                        }
                    }
                }
            },
        )
    }
}

/// `g * scale`, and `slope` added where the sign says so, of up to a panel's elements; an array's known length makes it one vector.
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
