//! Optimiser steps in place: one pass over a parameter, its state and its gradient. They agree with PyTorch's up to rounding.
//!
//! A decaying moment becomes 0 instead of subnormal. Otherwise it would stay subnormal, since 0.9 times the smallest subnormal rounds to
//! itself, and processors are slow with such numbers: units that no longer learn made a step of a VGG-16 four times as long.

use crate::elementwise::{CHUNK, chunks};
use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tensor::{View, by_dtype};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var, bail};
use std::cell::Cell;
use std::marker::PhantomData;

/// The constants of one step of stochastic gradient descent.
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Nesterov's form of the momentum.
    pub nesterov: bool,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
    /// Whether this is the first step. Its momentum buffer is the gradient.
    pub first: bool,
}

/// The constants of [`SgdStep`] in the type of the parameters.
#[derive(Clone, Copy, Debug)]
pub struct SgdConstants<T> {
    /// Learning rate.
    pub lr: T,
    /// Momentum.
    pub momentum: T,
    /// L2 penalty.
    pub decay: T,
    /// A velocity closer to 0 becomes 0.
    pub least: T,
}

impl SgdStep {
    /// The constants of f32 parameters.
    pub fn single(&self) -> SgdConstants<f32> {
        self.constants()
    }

    fn constants<T: Element>(&self) -> SgdConstants<T> {
        SgdConstants {
            lr: T::of(self.lr),
            momentum: T::of(self.momentum),
            decay: T::of(self.weight_decay),
            least: T::LEAST,
        }
    }
}

/// See [`crate::sgd`].
pub(crate) fn sgd(
    weight: &Var,
    velocity: Option<&Var>,
    grad: &Tensor,
    step: SgdStep,
) -> Result<()> {
    let grad = grad.contiguous()?;
    by_dtype!(weight.dtype(), T => {
        let SgdConstants { lr, momentum, decay, least } = step.constants::<T>();
        let decayed = move |w: T, g: T| if step.weight_decay == 0.0 { g } else { g + decay * w };
        if step.momentum == 0.0 {
            return with(weight, &grad, |w| in_place([w], &grad, #[inline(always)] |[w], g| *w -= lr * decayed(*w, g)));
        }
        let Some(velocity) = velocity else {
            bail!("sgd: momentum without a velocity");
        };
        with(weight, &grad, |w| with(velocity, &grad, |v| in_place([w, v], &grad, #[inline(always)] |[w, v], g| {
            let g = decayed(*w, g);
            *v = if step.first { g } else { momentum * *v + g }.flushed(least);
            *w -= lr * if step.nesterov { g + momentum * *v } else { *v };
        })))
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
    /// The number of this step, from 1.
    pub step: u64,
}

/// The constants of [`AdamStep`] in the type of the parameters.
#[derive(Clone, Copy, Debug)]
pub struct AdamConstants<T> {
    /// What the two moments keep of themselves.
    pub keep: [T; 2],
    /// What they take of the gradient and of its square.
    pub take: [T; 2],
    /// The learning rate over the first bias correction.
    pub size: T,
    /// The root of the second bias correction.
    pub root: T,
    /// Added to the denominator.
    pub eps: T,
    /// L2 penalty.
    pub decay: T,
    /// A moment closer to 0 becomes 0.
    pub least: T,
    /// A gradient closer to 0 has no square: times `take`, it would be subnormal.
    pub faint: T,
}

impl AdamStep {
    /// The constants of f32 parameters.
    pub fn single(&self) -> AdamConstants<f32> {
        self.constants()
    }

    fn constants<T: Element>(&self) -> AdamConstants<T> {
        let (b1, b2) = self.betas;
        let t = self.step as f64;
        AdamConstants {
            keep: [T::of(b1), T::of(b2)],
            take: [T::of(1.0 - b1), T::of(1.0 - b2)],
            size: T::of(self.lr / (1.0 - b1.powf(t))),
            root: T::of((1.0 - b2.powf(t)).sqrt()),
            eps: T::of(self.eps),
            decay: T::of(self.weight_decay),
            least: T::LEAST,
            faint: T::of(64.0) * T::LEAST.root(),
        }
    }
}

/// A step of either rule.
#[derive(Clone, Copy, Debug)]
pub enum Update {
    /// Of stochastic gradient descent.
    Sgd(SgdStep),
    /// Of Adam.
    Adam(AdamStep),
}

/// See [`crate::adam`].
pub(crate) fn adam(
    weight: &Var,
    mean: &Var,
    square: &Var,
    grad: &Tensor,
    step: AdamStep,
) -> Result<()> {
    let grad = grad.contiguous()?;
    by_dtype!(weight.dtype(), T => {
        let AdamConstants { keep: [keep1, keep2], take: [take1, take2], size, root, eps, decay, least, faint } = step.constants::<T>();
        let decayed = move |w: T, g: T| if step.weight_decay == 0.0 { g } else { g + decay * w };
        with(weight, &grad, |w| with(mean, &grad, |m| with(square, &grad, |v| in_place([w, m, v], &grad, #[inline(always)] |[w, m, v], g| {
            let g = decayed(*w, g);
            *m = (keep1 * *m + take1 * g).flushed(least);
            let g = g.flushed(faint);
            *v = (keep2 * *v + take2 * g * g).flushed(least);
            *w -= size * (*m / (v.root() / root + eps));
        }))))
    })
}

/// See [`crate::descend`], which checks the shapes.
pub(crate) fn descend(x: &Tensor, grad: &Tensor, lr: f64) -> Result<Tensor> {
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

/// Passes the elements of `var` to `f`, which may change them. `grad` must have the shape of `var`.
fn with<T: Element>(
    var: &Var,
    grad: &Tensor,
    f: impl FnOnce(&mut [T]) -> Result<()>,
) -> Result<()> {
    if grad.shape() != var.shape() {
        bail!(
            "optimiser step: {:?} for a parameter of {:?}",
            grad.shape(),
            var.shape()
        );
    }
    var.inplace_op1(&Opened {
        f: Cell::new(Some(f)),
        element: PhantomData,
    })
}

struct Opened<T, F> {
    f: Cell<Option<F>>,
    element: PhantomData<T>,
}

impl<T: Element, F: FnOnce(&mut [T]) -> Result<()>> InplaceOp1 for Opened<T, F> {
    fn name(&self) -> &'static str {
        "optimiser-step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (Some(f), Some((from, to))) = (self.f.take(), layout.contiguous_offsets()) else {
            bail!("optimiser step: a parameter is contiguous");
        };
        f(&mut T::elements_mut(storage)?[from..to])
    }
}

/// Applies `f` to the corresponding elements of all `targets` and of `grad`. Each is read and written once: memory limits the speed.
fn in_place<T: Element, const N: usize>(
    targets: [&mut [T]; N],
    grad: &Tensor,
    f: impl Fn([&mut T; N], T) + Sync,
) -> Result<()> {
    let view = View::of(grad);
    let grad = view.elements::<T>()?;
    let len = grad.len();
    let targets = targets.map(Shared::new);
    for_each(
        len.div_ceil(CHUNK),
        #[inline(always)]
        |task| {
            let start = task * CHUNK;
            let grad = &grad[start..len.min(start + CHUNK)];
            // SAFETY: each task writes its own chunk.
            let mut targets = targets
                .each_ref()
                .map(|target| unsafe { target.slice(start, grad.len()) });
            for (i, &g) in grad.iter().enumerate() {
                f(targets.each_mut().map(|target| &mut target[i]), g);
            }
        },
    );
    Ok(())
}
