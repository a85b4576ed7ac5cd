//! A unit of a frozen network in one pass: convolution (or linear layer), batch normalisation or bias, residual sum and ReLU.
//!
//! Weights are packed once, only the gradients of the activations exist, and the epilogue runs while a tile is in cache.
//! The weights themselves are used raw, not folded into the normalisation, so that a change of one of their last bits stays a change.

use crate::batch_norm::{affine, normalised};
use crate::conv::{Sizes, as_map, pack_forward};
use crate::elementwise::rows;
use crate::gemm::{Packed, planned};
use crate::input_gradient;
use crate::kernel::{Element, Epilogue};
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
        kind: Kind,
    },
}

/// What a unit does with its input.
#[derive(Clone, Copy)]
enum Kind {
    Conv(Window),
    /// A linear layer on maps of one size: a window as large as the map. Its result is a matrix.
    Linear(Window),
}

impl Kind {
    fn window(self) -> Window {
        match self {
            Self::Conv(window) | Self::Linear(window) => window,
        }
    }
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
        fn vectors<T: Element>(tensors: [&Tensor; 4], eps: f64) -> Result<[Option<Vec<T>>; 2]> {
            let [gamma, beta, mean, variance] = tensors.map(Tensor::to_vec1::<T>);
            let (scale, shift) = affine(&gamma?, &beta?, &mean?, &variance?, eps);
            Ok([Some(scale), Some(shift)])
        }
        let (tensors, kind) = ([gamma, beta, mean, variance], Kind::Conv(window));
        if !weight.device().is_cpu() {
            let scale = (gamma / (variance + eps)?.sqrt()?)?;
            let shift = (beta - (mean * &scale)?)?;
            return Ok(Self(Body::Composed {
                weight: weight.clone(),
                scale: Some(scale),
                shift: Some(shift),
                kind,
            }));
        }
        let shape = weight.shape().clone();
        Ok(Self(match weight.dtype() {
            DType::F32 => Body::F32(Unit::new(weight, shape, vectors(tensors, eps)?, kind)?),
            _ => Body::F64(Unit::new(weight, shape, vectors(tensors, eps)?, kind)?),
        }))
    }

    /// A convolution with `weight (o, c, kh, kw)` and `bias (o)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        Self::biased(weight, weight.shape().clone(), bias, Kind::Conv(window))
    }

    /// A linear layer with `weight (o, i)` and `bias (o)` on maps of `map` pixels, flattened channels first, or with a 1x1 map also on
    /// `(n, i)`: see [`linear`](crate::linear).
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn linear(weight: &Tensor, bias: &Tensor, map: (usize, usize)) -> Result<Self> {
        let (o, i) = weight.dims2()?;
        if map.0 * map.1 == 0 || i % (map.0 * map.1) != 0 {
            bail!("frozen unit: {map:?} maps have not {i} inputs");
        }
        let window = Window {
            kernel: map,
            stride: 1,
            padding: 0,
        };
        let shape = Shape::from((o, i / (map.0 * map.1), map.0, map.1));
        Self::biased(weight, shape, bias, Kind::Linear(window))
    }

    fn biased(weight: &Tensor, shape: Shape, bias: &Tensor, kind: Kind) -> Result<Self> {
        Ok(Self(if !weight.device().is_cpu() {
            Body::Composed {
                weight: weight.clone(),
                scale: None,
                shift: Some(bias.clone()),
                kind,
            }
        } else if weight.dtype() == DType::F32 {
            Body::F32(Unit::new(
                weight,
                shape,
                [None, Some(bias.to_vec1()?)],
                kind,
            )?)
        } else {
            Body::F64(Unit::new(
                weight,
                shape,
                [None, Some(bias.to_vec1()?)],
                kind,
            )?)
        }))
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
            Body::Composed { weight, kind, .. } => match kind {
                Kind::Conv(window) => crate::portable::conv2d(x, weight, *window),
                Kind::Linear(_) => crate::portable::product(x, weight),
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
    /// In torchvision's layout, shared with whoever has it: the backward weights are packed from it when first asked for.
    weight: Tensor,
    /// (o, c, kh, kw).
    shape: Shape,
    forward: Packed<T>,
    /// With the scale of the normalisation in it.
    backward: OnceLock<input_gradient::Weights<T>>,
    /// Without, for [`Convolution`].
    raw_backward: OnceLock<input_gradient::Weights<T>>,
    scale: Option<Vec<T>>,
    shift: Option<Vec<T>>,
    kind: Kind,
    plans: Mutex<Plans>,
}

impl<T: Element> Unit<T> {
    fn new(
        weight: &Tensor,
        shape: Shape,
        [scale, shift]: [Option<Vec<T>>; 2],
        kind: Kind,
    ) -> Result<Arc<Self>> {
        let ((o, c, kh, kw), window) = (shape.dims4()?, kind.window());
        let fits = |v: &Option<Vec<T>>| v.as_ref().is_none_or(|v| v.len() == o);
        if (kh, kw) != window.kernel || window.stride == 0 || !fits(&scale) || !fits(&shift) {
            bail!(
                "frozen unit: weight {:?} does not fit {window:?} or its vectors",
                weight.shape()
            );
        }
        let weight = weight.detach().contiguous()?;
        // All taps: the maps are not known yet.
        let forward = pack_forward(View::of(&weight).elements()?, o, c, &vec![true; kh * kw]);
        Ok(Arc::new(Self {
            weight,
            shape,
            forward,
            backward: OnceLock::new(),
            raw_backward: OnceLock::new(),
            scale,
            shift,
            kind,
            plans: Mutex::default(),
        }))
    }

    /// Weights of the input gradient. The scale of the normalisation goes into them: one pass less.
    fn backward_weights(&self) -> Result<&input_gradient::Weights<T>> {
        self.pack_backward(&self.backward, self.scale.as_deref())
    }

    fn pack_backward<'a>(
        &self,
        packed: &'a OnceLock<input_gradient::Weights<T>>,
        scale: Option<&[T]>,
    ) -> Result<&'a input_gradient::Weights<T>> {
        let ((o, c, kh, kw), window) = (self.shape.dims4()?, self.kind.window());
        let weight = View::of(&self.weight);
        let weight = weight.elements()?;
        Ok(packed.get_or_init(|| {
            input_gradient::Weights::new(weight, scale, o, c, window, &vec![true; kh * kw])
        }))
    }

    fn plans(&self, map: (usize, usize)) -> Result<Arc<[Plan; 2]>> {
        // A plan is inserted whole, so a panic elsewhere cannot have left half of one.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plans) = plans.get(&map) {
            return Ok(plans.clone());
        }
        let channels = (self.shape.dims()[1], self.shape.dims()[0]);
        let window = self.kind.window();
        let Some((forward, backward)) =
            Plan::forward(window, map, channels).zip(Plan::backward(window, map, channels))
        else {
            bail!("the {map:?} map is smaller than {window:?}");
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
        let input = as_map(x.shape())?.into();
        let sizes = Sizes::conv2d(&input, &self.shape, self.kind.window())?;
        let (n, (oh, ow), o) = (sizes.images, sizes.output, sizes.channels.1);
        let shape = match self.kind {
            Kind::Conv(_) => Shape::from((n, oh, ow, o)),
            Kind::Linear(_) if (oh, ow) == (1, 1) => Shape::from((n, o)),
            Kind::Linear(window) => bail!("linear: {:?} are not maps of {window:?}", x.shape()),
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
        let y = planned(&plans[0], n, xs.elements()?, &self.forward, epilogue);
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
        weights: &input_gradient::Weights<T>,
        grads: &mut Gradients,
    ) -> Result<()> {
        let (_, h, w, _) = as_map(x.shape())?;
        let plans = self.plans((h, w))?;
        weights.add(grads, x, grad, &plans[1])
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
                .add_input_gradient(&inputs[0], &grad, self.0.backward_weights()?, grads),
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
        let weights = self.0.pack_backward(&self.0.raw_backward, None)?;
        self.0.add_input_gradient(&inputs[0], &grad, weights, grads)
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
            #[inline(always)]
            |g, []| {
                for (g, &scale) in g.iter_mut().zip(scale) {
                    *g *= scale;
                }
            },
        );
        grads.add(a, Tensor::from_vec(da, a.shape(), a.device())?)
    }
}
