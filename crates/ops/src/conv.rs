//! 2-D convolution with tracked weights: the training path.

use crate::gemm::{Epilogue, Packed, planned, planned_weight_gradient};
use crate::input_gradient;
use crate::kernel::{Element, PANEL};
use crate::parallel::{Shared, for_each};
use crate::plan::{Plan, Window};
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Convolution of `x (n, h, w, c)` with `weight (o, c, kh, kw)`, no bias: `(n, oh, ow, o)`.
///
/// # Errors
/// If the shapes do not fit, the window does not fit the map, or the type is neither f32 nor f64.
pub fn conv2d(x: &Tensor, weight: &Tensor, window: Window) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?
            .apply_op2(&weight.contiguous()?, Conv2d(window))
    } else {
        crate::portable::conv2d(x, weight, window)
    }
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

struct Conv2d(Window);

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Sizes {
            images,
            map,
            channels: (c, o),
            output,
        } = sizes(lx.shape(), lw.shape(), self.0)?;
        let plan = Plan::forward(self.0, map, (c, o)).expect("sizes checked that the window fits");
        by_dtype!(x.dtype(), T => {
            let packed = pack_forward(elements::<T>(w, lw)?, o, c, self.0.kernel.0 * self.0.kernel.1);
            let y = planned(&plan, images, elements::<T>(x, lx)?, &packed, Epilogue::default());
            result(y, (images, output.0, output.1, o))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Sizes {
            images,
            map,
            channels: (c, o),
            ..
        } = sizes(x.shape(), w.shape(), self.0)?;
        let grad = grad.contiguous()?;
        let taps = self.0.kernel.0 * self.0.kernel.1;
        by_dtype!(x.dtype(), T => {
            let (xs, ws, gs) = (View::of(x), View::of(w), View::of(&grad));
            let dy = gs.elements::<T>()?;
            let dx = x.track_op().then(|| {
                let plan = input_gradient::plan(self.0, map, (c, o))
                    .expect("the forward pass checked that the window fits");
                let panels = input_gradient::pack(ws.elements::<T>()?, None, o, c, self.0);
                let dx = input_gradient::run(&plan, &panels, self.0, (images, map, c), dy);
                Tensor::from_vec(dx, x.shape(), x.device())
            });
            let dw = w.track_op().then(|| {
                let plan = Plan::forward(self.0, map, (c, o)).expect("the forward pass checked that the window fits");
                let dw = planned_weight_gradient(
                    &plan,
                    images,
                    xs.elements::<T>()?,
                    dy,
                    taps * c,
                    o,
                );
                let out = unpack_gradient(&dw, o, c, taps);
                Tensor::from_vec(out, w.shape(), w.device())
            });
            Ok((dx.transpose()?, dw.transpose()?))
        })
    }
}
