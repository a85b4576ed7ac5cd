//! 2-D convolution and the linear layer with tracked weights, for training. A linear layer is a convolution whose window is the whole
//! map.

use crate::elementwise::column_sums;
use crate::gemm::planned;
use crate::input_gradient;
use crate::kernel::Epilogue;
use crate::packed::pack_forward;
use crate::plan::{Plan, Window};
use crate::sizes::Sizes;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Geometry, Work};
use crate::weight_gradient::{planned_weight_gradient, unpack};
use candle_core::{DType, Result, Shape, Tensor, bail};

/// See [`crate::conv2d`].
pub(crate) fn conv2d(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    window: Window,
) -> Result<Tensor> {
    let sizes = Sizes::conv2d(x.shape(), weight.shape(), window)?;
    let (oh, ow) = sizes.output;
    let shape = (sizes.images, oh, ow, sizes.channels.1).into();
    forward(tape, [x, weight], bias, relu, sizes, shape)
}

/// See [`crate::linear`].
pub(crate) fn linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    relu: bool,
) -> Result<Tensor> {
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

struct Conv2d {
    sizes: Sizes,
    /// The plan of the forward product. The weight gradient is the gradient of its right operand.
    plan: Plan,
}

impl Operation for Conv2d {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let Sizes {
            window,
            map,
            channels,
            ..
        } = self.sizes;
        let sizes = Geometry {
            window,
            map,
            channels,
        };
        // As for frozen units, there are no patches in f64.
        let has_form = inputs[0].dtype() == DType::F32 || !sizes.scatters();
        Ok(has_form.then(|| Described {
            parameters: (1..inputs.len()).collect(),
            ..Described::new(Work::Convolution(sizes))
        }))
    }

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
                let dw = unpack(&dw, o, c, &self.plan.used(taps, c));
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
