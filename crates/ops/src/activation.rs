//! ReLU with PyTorch's gradient at zero (0; candle's is 1), alone and after a residual sum, and AID's negative part.

use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

/// `max(y, 0)`; NaN stays NaN, so that a diverged model is seen.
#[inline(always)]
pub(crate) fn relu_of<T: Element>(y: T) -> T {
    if y <= T::ZERO { T::ZERO } else { y }
}

/// `max(x, 0)`, any shape; gradient 0 at 0, as PyTorch's.
///
/// # Errors
/// If `x` is neither f32 nor f64.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(Relu)
    } else {
        crate::portable::relu(x)
    }
}

/// `max(a + b, 0)` for two tensors of one shape: the end of a residual block.
///
/// # Errors
/// If the shapes differ or the type is neither f32 nor f64.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.device().is_cpu() {
        a.contiguous()?.apply_op2(&b.contiguous()?, AddRelu)
    } else {
        crate::portable::relu(&(a + b)?)
    }
}

/// `max(-x, 0)`: what AID's activation term sums. Gradient 0 at 0.
///
/// # Errors
/// If `x` is neither f32 nor f64.
pub fn negative_part(x: &Tensor) -> Result<Tensor> {
    relu(&x.neg()?)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        by_dtype!(storage.dtype(), T => result(map(elements::<T>(storage, layout)?, relu_of), layout.shape()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        masked(y, grad).map(Some)
    }
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add-relu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if la.shape() != lb.shape() {
            candle_core::bail!(
                "add_relu: shapes {:?} and {:?} differ",
                la.shape(),
                lb.shape()
            );
        }
        by_dtype!(a.dtype(), T => result(zip(elements::<T>(a, la)?, elements::<T>(b, lb)?, |a, b| relu_of(a + b)), la.shape()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let masked = masked(y, grad)?;
        Ok((
            a.track_op().then(|| masked.clone()),
            b.track_op().then_some(masked),
        ))
    }
}

/// `grad` where the output `y` of a ReLU is positive, else 0.
pub(crate) fn masked(y: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let grad = grad.contiguous()?;
    by_dtype!(y.dtype(), T => {
        let dx = zip(View::of(&grad).elements::<T>()?, View::of(y).elements::<T>()?, |g, y| if y > T::ZERO { g } else { T::ZERO });
        Tensor::from_vec(dx, y.shape(), y.device())
    })
}

/// Elements a task works on at a time.
const CHUNK: usize = 1 << 14;

pub(crate) fn map<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    zip(x, x, |x, _| f(x))
}

pub(crate) fn zip<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut out = vec![T::ZERO; a.len()];
    let shared = Shared::new(&mut out);
    for_each(a.len().div_ceil(CHUNK), |task| {
        let start = task * CHUNK;
        let len = CHUNK.min(a.len() - start);
        // SAFETY: each task writes its own chunk.
        let out = unsafe { shared.slice(start, len) };
        for ((y, &a), &b) in out
            .iter_mut()
            .zip(&a[start..start + len])
            .zip(&b[start..start + len])
        {
            *y = f(a, b);
        }
    });
    out
}
