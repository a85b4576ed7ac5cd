//! ReLU with PyTorch's gradient at zero (0; candle's is 1), and AID's negative part.

use crate::elementwise::{CHUNK, map, zip};
use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Tensor, bail};

/// `max(y, 0)`; NaN stays NaN, so that a diverged model is seen.
#[inline(always)]
pub(crate) fn relu_of<T: Element>(y: T) -> T {
    if y <= T::ZERO { T::ZERO } else { y }
}

/// `g` where `y`, the output of a ReLU, is positive, else 0.
#[inline(always)]
pub(crate) fn masked_by<T: Element>(g: T, y: T) -> T {
    if y > T::ZERO { g } else { T::ZERO }
}

/// `max(x, 0)`, any shape; gradient 0 at 0, as PyTorch's.
///
/// # Errors
/// If `x` is neither f32 nor f64.
pub fn relu(tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return crate::portable::relu(x);
    }
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        Tensor::from_vec(map(View::of(&x).elements::<T>()?, relu_of), x.shape(), x.device())?
    });
    Ok(tape.note(Relu, &[&x], y, true))
}

struct Relu;

impl Operation for Relu {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        // Masked already, as every gradient is.
        inputs.iter().try_for_each(|x| grads.add(x, grad.clone()))
    }
}

/// What `max(-x, 0)` adds up to over all of `x`, as a scalar: AID's activation term. With `mean` divided by the number of
/// elements; added to `so_far` where there is one. Gradient 0 at 0.
///
/// # Errors
/// If `x` is neither f32 nor f64.
pub fn negative_part(
    tape: &mut Tape,
    x: &Tensor,
    so_far: Option<&Tensor>,
    mean: bool,
) -> Result<Tensor> {
    let share = if mean {
        1.0 / x.elem_count() as f64
    } else {
        1.0
    };
    if !x.device().is_cpu() {
        let part = (crate::portable::relu(&x.neg()?)?.sum_all()? * share)?;
        return so_far.map_or(Ok(part.clone()), |so_far| so_far + &part);
    }
    let x = x.contiguous()?;
    let y = by_dtype!(x.dtype(), T => {
        let xs = View::of(&x);
        let elements = xs.elements::<T>()?;
        let mut sums = vec![0.0; elements.len().div_ceil(CHUNK)];
        let shared = Shared::new(&mut sums);
        for_each(elements.len().div_ceil(CHUNK), #[inline(always)] |task| {
            let chunk = &elements[task * CHUNK..((task + 1) * CHUNK).min(elements.len())];
            // SAFETY: each task writes its own sum.
            let sum = unsafe { shared.slice(task, 1) };
            // Short runs in the element type, which vectorise; their sums in f64.
            sum[0] = chunk.chunks(RUN).map(|run| {
                let mut lanes = [T::ZERO; LANES];
                for part in run.chunks(LANES) {
                    for (lane, &x) in lanes.iter_mut().zip(part) {
                        *lane += relu_of(T::ZERO - x);
                    }
                }
                lanes.iter().map(|lane| lane.wide()).sum::<f64>()
            }).sum();
        });
        let total = sums.iter().sum::<f64>() * share;
        let part = Tensor::new(T::of(total), x.device())?;
        so_far.map_or(Ok(part.clone()), |so_far| so_far + &part)?
    });
    let inputs: Vec<&Tensor> = [&x].into_iter().chain(so_far).collect();
    Ok(tape.note(NegativePart { share }, &inputs, y, false))
}

/// Elements of a sum in the element type, and how many are added up side by side.
const RUN: usize = 256;
const LANES: usize = 16;

struct NegativePart {
    share: f64,
}

impl Operation for NegativePart {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let (x, so_far) = match inputs {
            [x] => (x, None),
            [x, so_far] => (x, Some(so_far)),
            _ => bail!("the negative part has one input, and the sum so far"),
        };
        if let Some(so_far) = so_far.filter(|so_far| grads.wants(so_far)) {
            grads.add(so_far, grad.clone())?;
        }
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

/// `grad` where the output `y` of a ReLU is positive, else 0.
pub(crate) fn masked(y: &Tensor, grad: &Tensor) -> Result<Tensor> {
    by_dtype!(y.dtype(), T => {
        let dx = zip(View::of(grad).elements::<T>()?, View::of(y).elements::<T>()?, masked_by);
        Tensor::from_vec(dx, y.shape(), y.device())
    })
}
