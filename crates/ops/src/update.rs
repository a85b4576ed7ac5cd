//! Optimiser steps in place: one pass over a parameter, its state and its gradient, rounded as PyTorch's.

use crate::elementwise::{CHUNK, chunks};
use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tensor::{View, by_dtype};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var, bail};

/// The constants of one step of stochastic gradient descent.
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; 0 is none.
    pub momentum: f64,
    /// Nesterov's form of the momentum.
    pub nesterov: bool,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
    /// Whether this is the first step, whose momentum buffer is the gradient.
    pub first: bool,
}

/// `g += wd * w; v = momentum * v + g; w -= lr * (g + momentum * v)` with Nesterov, else `w -= lr * v`.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn sgd(weight: &Var, velocity: &Var, grad: &Tensor, step: SgdStep) -> Result<()> {
    if !weight.device().is_cpu() {
        return crate::portable::sgd(weight, velocity, grad, step);
    }
    let grad = grad.contiguous()?;
    by_dtype!(weight.dtype(), T => {
        let (lr, momentum, decay) = (T::of(step.lr), T::of(step.momentum), T::of(step.weight_decay));
        let decayed = move |w: T, g: T| if step.weight_decay == 0.0 { g } else { g + decay * w };
        if step.momentum == 0.0 {
            return in_place(weight, [&grad], #[inline(always)] |w, [g]: [T; 1]| *w -= lr * decayed(*w, g));
        }
        in_place(velocity, [weight, &grad], #[inline(always)] |v: &mut T, [w, g]| {
            let g = decayed(w, g);
            *v = if step.first { g } else { momentum * *v + g };
        })?;
        in_place(weight, [velocity, &grad], #[inline(always)] |w: &mut T, [v, g]| {
            let g = if step.nesterov { decayed(*w, g) + momentum * v } else { v };
            *w -= lr * g;
        })
    })
}

/// The constants of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay rates of the two moments.
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// L2 penalty, added to the gradient (not decoupled).
    pub weight_decay: f64,
    /// Counts from 1.
    pub step: u64,
}

/// Adam with bias correction: `w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn adam(weight: &Var, mean: &Var, square: &Var, grad: &Tensor, step: AdamStep) -> Result<()> {
    if !weight.device().is_cpu() {
        return crate::portable::adam(weight, mean, square, grad, step);
    }
    let grad = grad.contiguous()?;
    let (b1, b2) = step.betas;
    let t = step.step as f64;
    by_dtype!(weight.dtype(), T => {
        let decay = T::of(step.weight_decay);
        let decayed = move |w: T, g: T| if step.weight_decay == 0.0 { g } else { g + decay * w };
        let (keep, take) = (T::of(b1), T::of(1.0 - b1));
        in_place(mean, [weight, &grad], #[inline(always)] |m: &mut T, [w, g]| *m = keep * *m + take * decayed(w, g))?;
        let (keep, take) = (T::of(b2), T::of(1.0 - b2));
        in_place(square, [weight, &grad], #[inline(always)] |v: &mut T, [w, g]| {
            let g = decayed(w, g);
            *v = keep * *v + take * g * g;
        })?;
        let size = T::of(step.lr / (1.0 - b1.powf(t)));
        let root = T::of((1.0 - b2.powf(t)).sqrt());
        let eps = T::of(step.eps);
        in_place(weight, [mean, square], #[inline(always)] |w: &mut T, [m, v]| *w -= size * (m / (v.root() / root + eps)))
    })
}

/// A step of gradient descent on pixels: `clamp(x - lr * grad, 0, 1)`. NaN stays NaN.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn descend(x: &Tensor, grad: &Tensor, lr: f64) -> Result<Tensor> {
    if x.shape() != grad.shape() {
        bail!(
            "gradient descent: {:?} for pixels of {:?}",
            grad.shape(),
            x.shape()
        );
    }
    if !x.device().is_cpu() {
        return crate::portable::descend(x, grad, lr);
    }
    let (x, grad) = (x.contiguous()?, grad.contiguous()?);
    by_dtype!(x.dtype(), T => {
        let moved = chunks(View::of(&x).elements()?, [View::of(&grad).elements()?], 1, #[inline(always)] |_, x: &mut [T], [grad]| {
            let (lr, zero, one) = (T::of(lr), T::ZERO, T::of(1.0));
            for (x, &g) in x.iter_mut().zip(grad) {
                let y = *x - lr * g;
                let y = if y < zero { zero } else { y };
                *x = if y > one { one } else { y };
            }
        });
        Tensor::from_vec(moved, x.shape(), x.device())
    })
}

/// Applies `f` to each element of `target` and its counterparts in `sources`, in place.
fn in_place<T: Element, const N: usize>(
    target: &Var,
    sources: [&Tensor; N],
    f: impl Fn(&mut T, [T; N]) + Sync,
) -> Result<()> {
    for source in sources {
        if source.shape() != target.shape() {
            bail!(
                "optimiser step: {:?} for a parameter of {:?}",
                source.shape(),
                target.shape()
            );
        }
    }
    let views = sources.map(View::of);
    let mut slices = [[].as_slice(); N];
    for (slice, view) in slices.iter_mut().zip(&views) {
        *slice = view.elements::<T>()?;
    }
    target.inplace_op1(&InPlace { slices, f })
}

struct InPlace<'a, T, F, const N: usize> {
    slices: [&'a [T]; N],
    f: F,
}

impl<T: Element, F: Fn(&mut T, [T; N]) + Sync, const N: usize> InplaceOp1 for InPlace<'_, T, F, N> {
    fn name(&self) -> &'static str {
        "optimiser-step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("optimiser step: a parameter is contiguous");
        };
        let target = &mut T::elements_mut(storage)?[from..to];
        let len = target.len();
        let shared = Shared::new(target);
        for_each(
            len.div_ceil(CHUNK),
            #[inline(always)]
            |task| {
                let start = task * CHUNK;
                let count = CHUNK.min(len - start);
                // SAFETY: each task writes its own chunk.
                let target = unsafe { shared.slice(start, count) };
                let slices = self.slices.map(|slice| &slice[start..start + count]);
                for (i, x) in target.iter_mut().enumerate() {
                    (self.f)(x, slices.map(|slice| slice[i]));
                }
            },
        );
        Ok(())
    }
}
