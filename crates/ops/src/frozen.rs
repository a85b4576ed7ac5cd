//! A unit of a frozen network in one pass: convolution (or linear layer), batch normalisation or bias, residual sum and ReLU.
//!
//! Weights are packed once, only the gradients of the activations exist, and the epilogue runs while a tile is in cache.
//! The weights themselves are used raw, not folded into the normalisation, so that a change of one of their last bits stays a change.

use crate::batch_norm::{affine, normalised};
use crate::conv::{pack_forward, sizes};
use crate::elementwise::rows;
use crate::gemm::{Epilogue, Packed, planned};
use crate::input_gradient;
use crate::kernel::Element;
use crate::plan::{Plan, Window};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::View;
use candle_core::{DType, Result, Shape, Tensor, bail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// One frozen unit: `act(affine(conv(x)) + residual)`.
#[derive(Clone)]
pub struct Frozen(Body);

#[derive(Clone)]
enum Body {
    F32(Arc<Unit<f32>>),
    F64(Arc<Unit<f64>>),
    /// On a device other than the CPU.
    Composed {
        weight: Tensor,
        scale: Option<Tensor>,
        shift: Option<Tensor>,
        window: Window,
    },
}

impl Frozen {
    /// A convolution with `weight (o, c, kh, kw)`, followed by the batch normalisation `(gamma, beta, mean, variance)`, each (o), in
    /// evaluation mode.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv_bn(
        weight: &Tensor,
        [gamma, beta, mean, variance]: [&Tensor; 4],
        eps: f64,
        window: Window,
    ) -> Result<Self> {
        fn vectors<T: Element>(tensors: [&Tensor; 4], eps: f64) -> Result<(Vec<T>, Vec<T>)> {
            let [gamma, beta, mean, variance] = tensors.map(Tensor::to_vec1::<T>);
            Ok(affine(&gamma?, &beta?, &mean?, &variance?, eps))
        }
        let tensors = [gamma, beta, mean, variance];
        if !weight.device().is_cpu() {
            let scale = (gamma / (variance + eps)?.sqrt()?)?;
            let shift = (beta - (mean * &scale)?)?;
            return Ok(Self(Body::Composed {
                weight: weight.clone(),
                scale: Some(scale),
                shift: Some(shift),
                window,
            }));
        }
        Ok(Self(match weight.dtype() {
            DType::F32 => {
                let (scale, shift) = vectors::<f32>(tensors, eps)?;
                Body::F32(Arc::new(Unit::new(
                    weight,
                    Some(scale),
                    Some(shift),
                    window,
                )?))
            }
            _ => {
                let (scale, shift) = vectors::<f64>(tensors, eps)?;
                Body::F64(Arc::new(Unit::new(
                    weight,
                    Some(scale),
                    Some(shift),
                    window,
                )?))
            }
        }))
    }

    /// A convolution with `weight (o, c, kh, kw)` and `bias (o)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv_bias(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        if !weight.device().is_cpu() {
            return Ok(Self(Body::Composed {
                weight: weight.clone(),
                scale: None,
                shift: Some(bias.clone()),
                window,
            }));
        }
        Ok(Self(match weight.dtype() {
            DType::F32 => Body::F32(Arc::new(Unit::new(
                weight,
                None,
                Some(bias.to_vec1()?),
                window,
            )?)),
            _ => Body::F64(Arc::new(Unit::new(
                weight,
                None,
                Some(bias.to_vec1()?),
                window,
            )?)),
        }))
    }

    /// A linear layer with `weight (o, i)` and `bias (o)`, for [`Frozen::forward`] on `(n, i)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn linear(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let (o, i) = weight.dims2()?;
        Self::conv_bias(
            &weight.reshape((o, i, 1, 1))?,
            bias,
            Window::square(1, 1, 0),
        )
    }

    /// `act(affine(conv(x)) + residual)` for `x (n, h, w, c)`, or `(n, i)` for a linear layer, with ReLU as `act` if `relu`.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn forward(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        match &self.0 {
            Body::F32(unit) => Unit::forward(unit, tape, x, residual, relu),
            Body::F64(unit) => Unit::forward(unit, tape, x, residual, relu),
            Body::Composed { .. } => {
                let a = self.convolve(tape, x)?;
                self.finish(tape, &a, residual, relu)
            }
        }
    }

    /// The first half of [`Frozen::forward`]: the convolution alone, for who wants to see its output.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn convolve(&self, tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Body::F32(unit) => Unit::convolve(unit, tape, x),
            Body::F64(unit) => Unit::convolve(unit, tape, x),
            Body::Composed { weight, window, .. } => match x.dims() {
                &[n, i] => crate::portable::conv2d(&x.reshape((n, 1, 1, i))?, weight, *window)?
                    .flatten_from(1),
                _ => crate::portable::conv2d(x, weight, *window),
            },
        }
    }

    /// The second half: `act(affine(a) + residual)`. Both halves give the bits of the whole.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn finish(
        &self,
        tape: &mut Tape,
        a: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        match &self.0 {
            Body::F32(unit) => Unit::finish(unit, tape, a, residual, relu),
            Body::F64(unit) => Unit::finish(unit, tape, a, residual, relu),
            Body::Composed { scale, shift, .. } => {
                crate::portable::affine(a, scale.as_ref(), shift.as_ref(), residual, relu)
            }
        }
    }
}

/// Forward and backward plans by map size.
type Plans = HashMap<(usize, usize), Arc<[Plan; 2]>>;

struct Unit<T> {
    /// torchvision's layout, (o, c, kh, kw): the backward panels are packed from it when first asked for.
    weight: Vec<T>,
    shape: Shape,
    forward: Packed<T>,
    /// With the scale of the normalisation in it.
    backward: OnceLock<Packed<T>>,
    /// Without, for [`Convolve`].
    raw_backward: OnceLock<Packed<T>>,
    scale: Option<Vec<T>>,
    shift: Option<Vec<T>>,
    window: Window,
    plans: Mutex<Plans>,
}

impl<T: Element> Unit<T> {
    fn new(
        weight: &Tensor,
        scale: Option<Vec<T>>,
        shift: Option<Vec<T>>,
        window: Window,
    ) -> Result<Self> {
        let (o, c, kh, kw) = weight.dims4()?;
        let fits = |v: &Option<Vec<T>>| v.as_ref().is_none_or(|v| v.len() == o);
        if (kh, kw) != window.kernel || window.stride == 0 || !fits(&scale) || !fits(&shift) {
            bail!(
                "frozen unit: weight {:?} does not fit {window:?} or its vectors",
                weight.shape()
            );
        }
        let shape = weight.shape().clone();
        let weight: Vec<T> = weight.flatten_all()?.to_vec1()?;
        let forward = pack_forward(&weight, o, c, kh * kw);
        Ok(Self {
            weight,
            shape,
            forward,
            backward: OnceLock::new(),
            raw_backward: OnceLock::new(),
            scale,
            shift,
            window,
            plans: Mutex::default(),
        })
    }

    /// Panels of the input gradient. The scale of the normalisation goes into them: one pass less.
    fn backward_panels(&self) -> &Packed<T> {
        self.backward
            .get_or_init(|| self.pack_backward(self.scale.as_deref()))
    }

    fn pack_backward(&self, scale: Option<&[T]>) -> Packed<T> {
        let (o, c) = (self.shape.dims()[0], self.shape.dims()[1]);
        input_gradient::pack(&self.weight, scale, o, c, self.window)
    }

    fn plans(&self, map: (usize, usize)) -> Result<Arc<[Plan; 2]>> {
        // A plan is inserted whole, so a panic elsewhere cannot have left half of one.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plans) = plans.get(&map) {
            return Ok(plans.clone());
        }
        let channels = (self.shape.dims()[1], self.shape.dims()[0]);
        let Some((forward, backward)) = Plan::forward(self.window, map, channels)
            .zip(input_gradient::plan(self.window, map, channels))
        else {
            bail!("the {map:?} map is smaller than {:?}", self.window);
        };
        let both = Arc::new([forward, backward]);
        plans.insert(map, both.clone());
        Ok(both)
    }

    fn epilogue(&self, relu: bool) -> Epilogue<'_, T> {
        Epilogue {
            scale: self.scale.as_deref(),
            shift: self.shift.as_deref(),
            relu,
            ..Epilogue::default()
        }
    }

    /// The convolution of `x`, or of the rows of a matrix, with an epilogue.
    fn product(
        &self,
        x: &Tensor,
        epilogue: Epilogue<'_, T>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (input, flat) = as_map(x)?;
        let sizes = sizes(&input, &self.shape, self.window)?;
        let shape = match flat {
            true => Shape::from((sizes.images, sizes.channels.1)),
            false => Shape::from((
                sizes.images,
                sizes.output.0,
                sizes.output.1,
                sizes.channels.1,
            )),
        };
        if let Some(residual) = residual.filter(|residual| *residual.shape() != shape) {
            bail!("residual {:?} is not {shape:?}", residual.shape());
        }
        let plans = self.plans(sizes.map)?;
        let (xs, residual) = (View::of(x), residual.map(View::of));
        let epilogue = Epilogue {
            residual: residual.as_ref().map(View::elements).transpose()?,
            ..epilogue
        };
        let y = planned(
            &plans[0],
            sizes.images,
            xs.elements()?,
            &self.forward,
            epilogue,
        );
        Tensor::from_vec(y, shape, x.device())
    }

    fn forward(
        unit: &Arc<Self>,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let (x, residual) = (
            x.contiguous()?,
            residual.map(Tensor::contiguous).transpose()?,
        );
        let y = unit.product(&x, unit.epilogue(relu), residual.as_ref())?;
        let inputs: Vec<&Tensor> = [&x].into_iter().chain(&residual).collect();
        Ok(tape.note(Whole(unit.clone()), &inputs, y, relu))
    }

    fn convolve(unit: &Arc<Self>, tape: &mut Tape, x: &Tensor) -> Result<Tensor> {
        let x = x.contiguous()?;
        let a = unit.product(&x, Epilogue::default(), None)?;
        Ok(tape.note(Convolution(unit.clone()), &[&x], a, false))
    }

    fn finish(
        unit: &Arc<Self>,
        tape: &mut Tape,
        a: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let (channels, residual) = (
            unit.shape.dims()[0],
            residual.map(Tensor::contiguous).transpose()?,
        );
        let y = normalised(a, residual.as_ref(), channels, unit.epilogue(relu))?;
        let inputs: Vec<&Tensor> = [a].into_iter().chain(&residual).collect();
        Ok(tape.note(Affine(unit.clone()), &inputs, y, relu))
    }

    /// Adds the gradient of the convolution's input to `grads`.
    fn add_input_gradient(
        &self,
        x: &Tensor,
        grad: &Tensor,
        panels: &Packed<T>,
        grads: &mut Gradients,
    ) -> Result<()> {
        let (_, h, w, _) = as_map(x)?.0.dims4()?;
        input_gradient::add(grads, x, grad, &self.plans((h, w))?[1], panels, self.window)
    }
}

/// The shape of a map; a matrix is 1x1 maps.
pub(crate) fn as_map(x: &Tensor) -> Result<(Shape, bool)> {
    match x.dims() {
        &[n, i] => Ok(((n, 1, 1, i).into(), true)),
        _ => Ok((x.shape().clone(), false)),
    }
}

/// What a unit passes on to its residual: the gradient before the ReLU.
fn pass_on(residual: &[Tensor], grad: &Tensor, grads: &mut Gradients) -> Result<()> {
    residual
        .iter()
        .filter(|r| grads.wants(r))
        .collect::<Vec<_>>()
        .into_iter()
        .try_for_each(|r| grads.add(r, grad.clone()))
}

struct Whole<T>(Arc<Unit<T>>);

impl<T: Element> Operation for Whole<T> {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        pass_on(&inputs[1..], &grad, grads)?;
        match grads.wants(&inputs[0]) {
            true => self
                .0
                .add_input_gradient(&inputs[0], &grad, self.0.backward_panels(), grads),
            false => Ok(()),
        }
    }
}

/// The convolution of a unit alone.
struct Convolution<T>(Arc<Unit<T>>);

impl<T: Element> Operation for Convolution<T> {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let panels = self
            .0
            .raw_backward
            .get_or_init(|| self.0.pack_backward(None));
        self.0.add_input_gradient(&inputs[0], &grad, panels, grads)
    }
}

/// The affine map of a unit, its residual and its ReLU.
struct Affine<T>(Arc<Unit<T>>);

impl<T: Element> Operation for Affine<T> {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        pass_on(&inputs[1..], &grad, grads)?;
        let a = &inputs[0];
        if !grads.wants(a) {
            return Ok(());
        }
        let Some(scale) = &self.0.scale else {
            return grads.add(a, grad);
        };
        let da = rows(
            View::of(&grad).elements::<T>()?,
            [],
            scale.len(),
            |g, []| {
                for (g, &scale) in g.iter_mut().zip(scale) {
                    *g = *g * scale;
                }
            },
        );
        grads.add(a, Tensor::from_vec(da, a.shape(), a.device())?)
    }
}
