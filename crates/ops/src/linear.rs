//! The fully connected layer, bit-stable unlike a matrix product whose kernel depends on the batch.

use crate::gemm::{Epilogue, Packed, planned, planned_weight_gradient};
use crate::plan::{Plan, Window};
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `x (n, i)` times the transpose of `weight (o, i)` plus `bias (o)`: `(n, o)`.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?
            .apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear)
    } else {
        x.matmul(&weight.t()?)?.broadcast_add(bias)
    }
}

struct Linear;

/// A linear layer is a 1x1 convolution of a 1x1 map.
fn plan(i: usize, o: usize) -> Plan {
    Plan::forward(Window::square(1, 1, 0), (1, 1), (i, o)).expect("a 1x1 window fits a 1x1 map")
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, i), (o, wi)) = (lx.shape().dims2()?, lw.shape().dims2()?);
        if i != wi || lb.shape().dims1()? != o {
            bail!(
                "linear: input {:?}, weight {:?} and bias {:?} do not fit",
                lx.shape(),
                lw.shape(),
                lb.shape()
            );
        }
        by_dtype!(x.dtype(), T => {
            let w = elements::<T>(w, lw)?;
            let packed = Packed::new((1, i), o, |_, k, n| w[n * i + k]);
            let epilogue = Epilogue { shift: Some(elements::<T>(b, lb)?), ..Epilogue::default() };
            result(planned(&plan(i, o), n, elements::<T>(x, lx)?, &packed, epilogue), (n, o))
        })
    }

    #[allow(clippy::type_complexity)]
    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((n, i), (o, _)) = (x.dims2()?, w.dims2()?);
        let grad = grad.contiguous()?;
        by_dtype!(x.dtype(), T => {
            let (xs, ws, gs) = (View::of(x), View::of(w), View::of(&grad));
            let dy = gs.elements::<T>()?;
            let dx = x.track_op().then(|| {
                let w = ws.elements::<T>()?;
                let packed = Packed::new((1, o), i, |_, k, n| w[k * i + n]);
                Tensor::from_vec(planned(&plan(o, i), n, dy, &packed, Epilogue::default()), (n, i), x.device())
            });
            let dw = w.track_op().then(|| {
                let dw = planned_weight_gradient(&plan(i, o), n, xs.elements::<T>()?, dy, i, o);
                Tensor::from_vec(dw, (i, o), w.device())?.t()?.contiguous()
            });
            let db = b.track_op().then(|| grad.sum(0));
            Ok((dx.transpose()?, dw.transpose()?, db.transpose()?))
        })
    }
}
