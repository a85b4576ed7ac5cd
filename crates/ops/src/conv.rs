//! 2-D convolution with tracked weights, and the linear layer, which is one whose window is the whole map: the training path.

use crate::elementwise::column_sums;
use crate::gemm::{Packed, planned, planned_weight_gradient};
use crate::input_gradient;
use crate::kernel::{Element, Epilogue, PANEL};
use crate::parallel::{Shared, for_each};
use crate::plan::{Plan, Window};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use candle_core::{Result, Shape, Tensor, bail};

/// Convolution of `x (n, h, w, c)` with `weight (o, c, kh, kw)`, plus `bias (o)` where there is one, and ReLU if `relu`:
/// `(n, oh, ow, o)`.
///
/// # Errors
/// If the shapes do not fit, the window does not fit the map, or the type is neither f32 nor f64.
pub fn conv2d(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    window: Window,
) -> Result<Tensor> {
    if !x.device().is_cpu() {
        let y = crate::portable::conv2d(x, weight, window)?;
        return crate::portable::affine(&y, None, bias, None, relu);
    }
    let sizes = Sizes::conv2d(x.shape(), weight.shape(), window)?;
    let (oh, ow) = sizes.output;
    let shape = (sizes.images, oh, ow, sizes.channels.1).into();
    forward(tape, [x, weight], bias, relu, sizes, shape)
}

/// `x (n, i)` times the transpose of `weight (o, i)` plus `bias (o)`, and ReLU if `relu`: `(n, o)`. Maps `(n, h, w, c)` are taken
/// for `i = c * h * w` inputs, channels first, as PyTorch flattens them.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    relu: bool,
) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return crate::portable::linear(x, weight, bias, relu);
    }
    let sizes = Sizes::linear(x.shape(), weight.shape())?;
    let shape = (sizes.images, sizes.channels.1).into();
    forward(tape, [x, weight], Some(bias), relu, sizes, shape)
}

fn forward(
    tape: &mut Tape,
    [x, weight]: [&Tensor; 2],
    bias: Option<&Tensor>,
    relu: bool,
    sizes: Sizes,
    shape: Shape,
) -> Result<Tensor> {
    if let Some(bias) = bias.filter(|bias| bias.dims() != [sizes.channels.1]) {
        bail!("weight {:?} with bias {:?}", weight.shape(), bias.shape());
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let plan = Plan::forward(sizes.window, sizes.map, sizes.channels)
        .expect("sizes checked that the window fits");
    let y = by_dtype!(x.dtype(), T => {
        let (xs, ws, bs) = (View::of(&x), View::of(&weight), bias.as_ref().map(View::of));
        let (c, o) = sizes.channels;
        let used = plan.used(sizes.taps(), c);
        let packed = pack_forward(ws.elements::<T>()?, o, c, &used);
        let epilogue = Epilogue {
            bias: bs.as_ref().map(View::elements).transpose()?,
            relu,
            ..Epilogue::default()
        };
        let y = planned(&plan, sizes.images, xs.elements()?, &packed, epilogue);
        Tensor::from_vec(y, shape, x.device())?
    });
    let inputs: Vec<&Tensor> = [&x, &weight].into_iter().chain(&bias).collect();
    Ok(tape.note(Conv2d { sizes, plan }, &inputs, y, relu))
}

/// Packs the taps of `weight (o, c, kh, kw)` that are `used` for the forward product: depth (kh, kw, c), columns o.
pub(crate) fn pack_forward<T: Element>(
    weight: &[T],
    o: usize,
    c: usize,
    used: &[bool],
) -> Packed<T> {
    let taps = used.len();
    Packed::new((taps, c), o, used, |tap, i, n| {
        weight[(n * c + i) * taps + tap]
    })
}

/// A weight gradient (kh, kw, c, o) in the weight's own layout, (o, c, kh, kw). Taps that are not `used` have none.
fn unpack_gradient<T: Element>(dw: &[T], o: usize, c: usize, used: &[bool]) -> Vec<T> {
    let taps = used.len();
    let mut out = vec![T::ZERO; dw.len()];
    let shared = Shared::new(&mut out);
    for_each(
        o.div_ceil(PANEL),
        #[inline(always)]
        |block| {
            let first = block * PANEL;
            let width = PANEL.min(o - first);
            // SAFETY: each task writes the weights of its own output channels.
            let out = unsafe { shared.slice(first * c * taps, width * c * taps) };
            for i in 0..c {
                for tap in (0..taps).filter(|&tap| used[tap]) {
                    let from = &dw[(tap * c + i) * o + first..][..width];
                    for (n, &g) in from.iter().enumerate() {
                        out[(n * c + i) * taps + tap] = g;
                    }
                }
            }
        },
    );
    out
}

/// The sizes of a convolution.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub images: usize,
    pub map: (usize, usize),
    pub channels: (usize, usize),
    pub output: (usize, usize),
    pub window: Window,
}

impl Sizes {
    /// Of `x (n, h, w, c)` and `weight (o, c, kh, kw)`.
    pub fn conv2d(x: &Shape, weight: &Shape, window: Window) -> Result<Self> {
        let ((images, h, w, c), (o, wc, kh, kw)) = (x.dims4()?, weight.dims4()?);
        if c != wc || (kh, kw) != window.kernel || window.stride == 0 {
            bail!(
                "conv2d: input {x:?} (n, h, w, c) and weight {weight:?} (o, c, kh, kw) do not fit {window:?}"
            );
        }
        let Some(output) = window.output((h, w)) else {
            bail!("conv2d: the {h}x{w} map is smaller than {window:?}");
        };
        Ok(Self {
            images,
            map: (h, w),
            channels: (c, o),
            output,
            window,
        })
    }

    /// Of `x (n, i)` or `(n, h, w, c)` and `weight (o, i)`: one window as large as the map.
    pub fn linear(x: &Shape, weight: &Shape) -> Result<Self> {
        let (images, h, w, c) = as_map(x)?;
        let (o, i) = weight.dims2()?;
        if c * h * w != i || i == 0 {
            bail!("linear: input {x:?} and weight {weight:?} (o, i) do not fit");
        }
        Ok(Self {
            images,
            map: (h, w),
            channels: (c, o),
            output: (1, 1),
            window: Window {
                kernel: (h, w),
                stride: 1,
                padding: 0,
            },
        })
    }

    /// Of the kernel.
    pub fn taps(&self) -> usize {
        self.window.kernel.0 * self.window.kernel.1
    }
}

/// The dimensions of a map; the rows of a matrix are 1x1 maps.
pub(crate) fn as_map(x: &Shape) -> Result<(usize, usize, usize, usize)> {
    match x.dims() {
        &[n, i] => Ok((n, 1, 1, i)),
        _ => x.dims4(),
    }
}

struct Conv2d {
    sizes: Sizes,
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
        let [x, weight, bias @ ..] = inputs else {
            bail!("a convolution has two inputs, and a bias");
        };
        let Sizes {
            images,
            map,
            channels: (c, o),
            window,
            ..
        } = self.sizes;
        let taps = self.sizes.taps();
        by_dtype!(x.dtype(), T => {
            if grads.wants(x) {
                let plan = Plan::backward(window, map, (c, o))
                    .expect("the forward pass checked that the window fits");
                let weights = input_gradient::Weights::new(View::of(weight).elements::<T>()?, None, o, c, window, &plan.used(taps, o));
                weights.add(grads, x, &grad, &plan)?;
            }
            let dy = View::of(&grad);
            let dy = dy.elements::<T>()?;
            if grads.wants(weight) {
                let dw = planned_weight_gradient(&self.plan, images, View::of(x).elements()?, dy);
                let dw = unpack_gradient(&dw, o, c, &self.plan.used(taps, c));
                grads.add(weight, Tensor::from_vec(dw, weight.shape(), weight.device())?)?;
            }
            for bias in bias {
                if grads.wants(bias) {
                    let [sums] = column_sums([dy], o, #[inline(always)] |[dy], [sums]| {
                        for (sum, &dy) in sums.iter_mut().zip(dy) {
                            *sum += dy;
                        }
                    });
                    let sums: Vec<T> = sums.into_iter().map(T::of).collect();
                    grads.add(bias, Tensor::from_vec(sums, o, bias.device())?)?;
                }
            }
        });
        Ok(())
    }
}
