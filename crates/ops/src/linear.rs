//! The fully connected layer, bit-stable unlike a matrix product whose kernel depends on the batch.

use crate::gemm::{Epilogue, Packed, planned, planned_weight_gradient};
use crate::plan::{Plan, Window};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Tensor, bail};

/// `x (n, i)` times the transpose of `weight (o, i)` plus `bias (o)`: `(n, o)`.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn linear(tape: &mut Tape, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.matmul(&weight.t()?)?.broadcast_add(bias);
    }
    let ((n, i), (o, wi)) = (x.dims2()?, weight.dims2()?);
    if i != wi || bias.dims1()? != o {
        bail!(
            "linear: input {:?}, weight {:?} and bias {:?} do not fit",
            x.shape(),
            weight.shape(),
            bias.shape()
        );
    }
    let (x, weight, bias) = (x.contiguous()?, weight.contiguous()?, bias.contiguous()?);
    let y = by_dtype!(x.dtype(), T => {
        let (xs, ws, bs) = (View::of(&x), View::of(&weight), View::of(&bias));
        let w = ws.elements::<T>()?;
        let packed = Packed::new((1, i), o, |_, k, n| w[n * i + k]);
        let epilogue = Epilogue { shift: Some(bs.elements()?), ..Epilogue::default() };
        Tensor::from_vec(planned(&plan(i, o), n, xs.elements()?, &packed, epilogue), (n, o), x.device())?
    });
    Ok(tape.note(Linear, &[&x, &weight, &bias], y, false))
}

struct Linear;

/// A linear layer is a 1x1 convolution of a 1x1 map.
fn plan(i: usize, o: usize) -> Plan {
    Plan::forward(Window::square(1, 1, 0), (1, 1), (i, o)).expect("a 1x1 window fits a 1x1 map")
}

impl Operation for Linear {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x, weight, bias] = inputs else {
            bail!("a linear layer has three inputs");
        };
        let ((n, i), (o, _)) = (x.dims2()?, weight.dims2()?);
        by_dtype!(x.dtype(), T => {
            if grads.wants(x) {
                grads.fuse(x, |so_far, masked| {
                    let (so_far, xs, ws, dy) = (so_far.map(View::of), View::of(x), View::of(weight), View::of(&grad));
                    let w = ws.elements::<T>()?;
                    let packed = Packed::new((1, o), i, |_, k, n| w[k * i + n]);
                    let epilogue = Epilogue {
                        residual: so_far.as_ref().map(View::elements).transpose()?,
                        mask: masked.then(|| xs.elements()).transpose()?,
                        ..Epilogue::default()
                    };
                    Tensor::from_vec(planned(&plan(o, i), n, dy.elements()?, &packed, epilogue), (n, i), x.device())
                })?;
            }
            if grads.wants(weight) {
                let (xs, dy) = (View::of(x), View::of(&grad));
                let dw = planned_weight_gradient(&plan(i, o), n, xs.elements::<T>()?, dy.elements()?, i, o);
                grads.add(weight, Tensor::from_vec(dw, (i, o), weight.device())?.t()?.contiguous()?)?;
            }
        });
        if grads.wants(bias) {
            grads.add(bias, grad.sum(0)?)?;
        }
        Ok(())
    }
}
