//! 2-D convolution with tracked weights: the training path.

use crate::gemm::{Epilogue, Packed, planned, planned_weight_gradient};
use crate::input_gradient;
use crate::kernel::{Element, PANEL};
use crate::parallel::{Shared, for_each};
use crate::plan::{Plan, Window};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Shape, Tensor, bail};

/// Convolution of `x (n, h, w, c)` with `weight (o, c, kh, kw)`, no bias: `(n, oh, ow, o)`.
///
/// # Errors
/// If the shapes do not fit, the window does not fit the map, or the type is neither f32 nor f64.
pub fn conv2d(tape: &mut Tape, x: &Tensor, weight: &Tensor, window: Window) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return crate::portable::conv2d(x, weight, window);
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let Sizes {
        images,
        map,
        channels: (c, o),
        output: (oh, ow),
    } = sizes(x.shape(), weight.shape(), window)?;
    let plan = Plan::forward(window, map, (c, o)).expect("sizes checked that the window fits");
    let y = by_dtype!(x.dtype(), T => {
        let (xs, ws) = (View::of(&x), View::of(&weight));
        let packed = pack_forward(ws.elements::<T>()?, o, c, window.kernel.0 * window.kernel.1);
        let y = planned(&plan, images, xs.elements()?, &packed, Epilogue::default());
        Tensor::from_vec(y, (images, oh, ow, o), x.device())?
    });
    Ok(tape.note(Conv2d { window, plan }, &[&x, &weight], y, false))
}

/// Packs `weight (o, c, kh, kw)` for the forward product: depth (kh, kw, c), columns o.
pub(crate) fn pack_forward<T: Element>(weight: &[T], o: usize, c: usize, taps: usize) -> Packed<T> {
    Packed::new((taps, c), o, |tap, i, n| weight[(n * c + i) * taps + tap])
}

/// A weight gradient (kh, kw, c, o) in the weight's own layout, (o, c, kh, kw).
fn unpack_gradient<T: Element>(dw: &[T], o: usize, c: usize, taps: usize) -> Vec<T> {
    let mut out = vec![T::ZERO; dw.len()];
    let shared = Shared::new(&mut out);
    for_each(o.div_ceil(PANEL), |block| {
        let first = block * PANEL;
        let width = PANEL.min(o - first);
        // SAFETY: each task writes the weights of its own output channels.
        let out = unsafe { shared.slice(first * c * taps, width * c * taps) };
        for i in 0..c {
            for tap in 0..taps {
                let from = &dw[(tap * c + i) * o + first..][..width];
                for (n, &g) in from.iter().enumerate() {
                    out[(n * c + i) * taps + tap] = g;
                }
            }
        }
    });
    out
}

/// The sizes of a convolution.
pub(crate) struct Sizes {
    pub images: usize,
    pub map: (usize, usize),
    pub channels: (usize, usize),
    pub output: (usize, usize),
}

pub(crate) fn sizes(x: &Shape, weight: &Shape, window: Window) -> Result<Sizes> {
    let ((images, h, w, c), (o, wc, kh, kw)) = (x.dims4()?, weight.dims4()?);
    if c != wc || (kh, kw) != window.kernel || window.stride == 0 {
        bail!(
            "conv2d: input {x:?} (n, h, w, c) and weight {weight:?} (o, c, kh, kw) do not fit {window:?}"
        );
    }
    let Some(output) = window.output((h, w)) else {
        bail!("conv2d: the {h}x{w} map is smaller than {window:?}");
    };
    Ok(Sizes {
        images,
        map: (h, w),
        channels: (c, o),
        output,
    })
}

struct Conv2d {
    window: Window,
    /// Of the forward product, whose right operand's gradient the weight gradient is.
    plan: Plan,
}

impl Operation for Conv2d {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x, weight] = inputs else {
            bail!("a convolution has two inputs");
        };
        let (window, taps) = (self.window, self.window.kernel.0 * self.window.kernel.1);
        let Sizes {
            images,
            map,
            channels: (c, o),
            ..
        } = sizes(x.shape(), weight.shape(), window)?;
        by_dtype!(x.dtype(), T => {
            if grads.wants(x) {
                let plan = input_gradient::plan(window, map, (c, o))
                    .expect("the forward pass checked that the window fits");
                let panels = input_gradient::pack(View::of(weight).elements::<T>()?, None, o, c, window);
                input_gradient::add(grads, x, &grad, &plan, &panels, window)?;
            }
            if grads.wants(weight) {
                let (xs, dy) = (View::of(x), View::of(&grad));
                let dw = planned_weight_gradient(&self.plan, images, xs.elements::<T>()?, dy.elements()?, taps * c, o);
                let dw = unpack_gradient(&dw, o, c, taps);
                grads.add(weight, Tensor::from_vec(dw, weight.shape(), weight.device())?)?;
            }
        });
        Ok(())
    }
}
