//! A unit of a frozen network in one pass: convolution (or linear layer), batch normalisation or bias, residual sum and ReLU.
//!
//! AID's activation term of a unit is noted while its sums are in registers, and comes back as a constant added to the gradient.
//!
//! Weights are packed once, only the gradients of the activations exist, and the epilogue runs while a tile is in cache.
//! The weights themselves are used raw, not folded into the normalisation, so that a change of one of their last bits stays a change.
//! Variables are copied: some weights are packed later than others, and in between an optimiser may write them.

use crate::batch_norm::affine;
use crate::conv::{Sizes, as_map, pack_forward};
use crate::gemm::{Packed, planned};
use crate::input_gradient;
use crate::kernel::{Element, Epilogue};
use crate::negative::{NegativePart, Reduction, negative_part, scaled};
use crate::plan::{Plan, Window};
use crate::portable;
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, constant};
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
        after: After<Tensor>,
        kind: Kind,
    },
}

/// What follows a unit's product: a vector of one element for each output channel, or two.
#[derive(Clone)]
enum After<V> {
    Bias(V),
    BatchNorm { scale: V, shift: V },
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
        fn vectors<T: Element>(tensors: [&Tensor; 4], eps: f64) -> Result<After<Vec<T>>> {
            let [gamma, beta, mean, variance] = tensors.map(Tensor::to_vec1::<T>);
            let (scale, shift) = affine(&gamma?, &beta?, &mean?, &variance?, eps);
            Ok(After::BatchNorm { scale, shift })
        }
        let (tensors, kind) = ([gamma, beta, mean, variance], Kind::Conv(window));
        let o = weight.dim(0)?;
        if let Some(vector) = tensors.into_iter().find(|vector| vector.dims() != [o]) {
            bail!(
                "frozen unit: weight {:?} with normalisation {:?}",
                weight.shape(),
                vector.shape()
            );
        }
        if !weight.device().is_cpu() {
            let [gamma, beta, mean, variance] = tensors.map(Tensor::detach);
            let scale = (gamma / (variance + eps)?.sqrt()?)?;
            let shift = (beta - (mean * &scale)?)?;
            return Ok(Self(Body::Composed {
                weight: constant(weight)?,
                after: After::BatchNorm { scale, shift },
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
                weight: constant(weight)?,
                after: After::Bias(constant(bias)?),
                kind,
            }
        } else if weight.dtype() == DType::F32 {
            Body::F32(Unit::new(
                weight,
                shape,
                After::Bias(bias.to_vec1()?),
                kind,
            )?)
        } else {
            Body::F64(Unit::new(
                weight,
                shape,
                After::Bias(bias.to_vec1()?),
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
            Body::Composed {
                weight,
                after,
                kind,
            } => after.compose(&kind.compose(x, weight)?, residual, relu),
        }
    }

    /// [`Frozen::forward`], to the same bits, and AID's activation term of the unit, one number an image: [`negative_part`] of the convolution
    /// before its batch normalisation, or of the layer with its bias. Its gradient reaches `x` together with that of the result, so a walk
    /// back begins at both, at zeros if need be.
    ///
    /// # Errors
    /// If there are no images, and those of [`Frozen::forward`].
    pub fn forward_covered(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        if x.dim(0)? == 0 {
            bail!("frozen unit: there are no images in {:?}", x.shape());
        }
        match &self.0 {
            Body::F32(unit) => Unit::forward_covered(unit, tape, x, residual, relu, reduction),
            Body::F64(unit) => Unit::forward_covered(unit, tape, x, residual, relu, reduction),
            Body::Composed {
                weight,
                after,
                kind,
            } => {
                let a = kind.compose(x, weight)?;
                let covered = match after {
                    After::Bias(bias) => a.broadcast_add(bias)?,
                    After::BatchNorm { .. } => a.clone(),
                };
                let part = negative_part(tape, &covered, reduction)?;
                Ok((after.compose(&a, residual, relu)?, part))
            }
        }
    }
}

impl Kind {
    /// The product, in candle's operations.
    fn compose(self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        match self {
            Self::Conv(window) => portable::conv2d(x, weight, window),
            Self::Linear(_) => portable::product(x, weight),
        }
    }
}

impl After<Tensor> {
    /// What follows the product, in candle's operations.
    fn compose(&self, a: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let (scale, shift) = match self {
            Self::Bias(bias) => (None, bias),
            Self::BatchNorm { scale, shift } => (Some(scale), shift),
        };
        portable::affine(a, scale, Some(shift), residual, relu)
    }
}

/// Forward and backward plans by map size.
type Plans = HashMap<(usize, usize), Arc<[Plan; 2]>>;

struct Unit<T> {
    /// In torchvision's layout, shared with whoever has it if that is no variable: the backward weights are packed from it when first asked for.
    weight: Tensor,
    /// (o, c, kh, kw).
    shape: Shape,
    forward: Packed<T>,
    /// With the scale of the normalisation in it.
    backward: OnceLock<input_gradient::Weights<T>>,
    /// Without, for [`Covered`].
    raw_backward: OnceLock<input_gradient::Weights<T>>,
    after: After<Vec<T>>,
    kind: Kind,
    plans: Mutex<Plans>,
}

impl<T: Element> Unit<T> {
    fn new(weight: &Tensor, shape: Shape, after: After<Vec<T>>, kind: Kind) -> Result<Arc<Self>> {
        let ((o, c, kh, kw), window) = (shape.dims4()?, kind.window());
        let (After::Bias(vector) | After::BatchNorm { scale: vector, .. }) = &after;
        if (kh, kw) != window.kernel || window.stride == 0 || vector.len() != o {
            bail!(
                "frozen unit: weight {:?} does not fit {window:?} or its vectors",
                weight.shape()
            );
        }
        let weight = constant(weight)?.contiguous()?;
        // All taps: the maps are not known yet.
        let forward = pack_forward(View::of(&weight).elements()?, o, c, &vec![true; kh * kw]);
        Ok(Arc::new(Self {
            weight,
            shape,
            forward,
            backward: OnceLock::new(),
            raw_backward: OnceLock::new(),
            after,
            kind,
            plans: Mutex::default(),
        }))
    }

    fn scale(&self) -> Option<&[T]> {
        match &self.after {
            After::Bias(_) => None,
            After::BatchNorm { scale, .. } => Some(scale),
        }
    }

    /// Weights of the input gradient. The scale of the normalisation goes into them: one pass less.
    fn backward_weights(&self) -> Result<&input_gradient::Weights<T>> {
        self.pack_backward(&self.backward, self.scale())
    }

    /// The same for a gradient that was multiplied by the scale.
    fn raw_backward_weights(&self) -> Result<&input_gradient::Weights<T>> {
        match self.after {
            After::Bias(_) => self.backward_weights(),
            After::BatchNorm { .. } => self.pack_backward(&self.raw_backward, None),
        }
    }

    fn pack_backward<'a>(
        &self,
        packed: &'a OnceLock<input_gradient::Weights<T>>,
        scale: Option<&[T]>,
    ) -> Result<&'a input_gradient::Weights<T>> {
        let ((o, c, kh, kw), window) = (self.shape.dims4()?, self.kind.window());
        if let Some(weights) = packed.get() {
            return Ok(weights);
        }
        let weight = View::of(&self.weight);
        let weight = weight.elements()?;
        // Packed before the cell is locked: a thread that waits for others to pack may take up a strand that asks for the same cell.
        let weights =
            input_gradient::Weights::new(weight, scale, o, c, window, &vec![true; kh * kw]);
        Ok(packed.get_or_init(|| weights))
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

    /// The unit on `x`, or on the rows of a matrix; `reduction` asks for the activation term, too.
    fn product(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Option<Reduction>,
    ) -> Result<(Tensor, Option<NegativePart>)> {
        let sizes = match self.kind {
            Kind::Conv(window) => Sizes::conv2d(x.shape(), &self.shape, window)?,
            Kind::Linear(_) => Sizes::linear(x.shape(), self.weight.shape())?,
        };
        let (n, (oh, ow), o) = (sizes.images, sizes.output, sizes.channels.1);
        let shape = match self.kind {
            Kind::Conv(_) => Shape::from((n, oh, ow, o)),
            Kind::Linear(window) if sizes.window == window => Shape::from((n, o)),
            Kind::Linear(window) => bail!("linear: {:?} are not maps of {window:?}", x.shape()),
        };
        if let Some(residual) = residual.filter(|residual| *residual.shape() != shape) {
            bail!("residual {:?} is not {shape:?}", residual.shape());
        }
        let plans = self.plans(sizes.map)?;
        let (xs, residual) = (View::of(x), residual.map(View::of));
        let residual = residual.as_ref().map(View::elements).transpose()?;
        let epilogue = match &self.after {
            After::Bias(bias) => Epilogue {
                bias: Some(bias),
                residual,
                relu,
                ..Epilogue::default()
            },
            After::BatchNorm { scale, shift } => Epilogue {
                scale: Some(scale),
                shift: Some(shift),
                residual,
                relu,
                ..Epilogue::default()
            },
        };
        let xs = xs.elements()?;
        let (y, part) = match reduction {
            None => (planned(&plans[0], n, xs, &self.forward, epilogue), None),
            Some(reduction) => {
                let (y, part) = NegativePart::noted((n, oh * ow, o), reduction, |noted| {
                    let epilogue = Epilogue {
                        negatives: Some(noted),
                        ..epilogue
                    };
                    planned(&plans[0], n, xs, &self.forward, epilogue)
                });
                (y, Some(part))
            }
        };
        Ok((Tensor::from_vec(y, shape, x.device())?, part))
    }

    fn forward(
        unit: &Arc<Self>,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let x = x.contiguous()?;
        let residual = residual.map(Tensor::contiguous).transpose()?;
        let (y, _) = unit.product(&x, residual.as_ref(), relu, None)?;
        let inputs: Vec<&Tensor> = [&x].into_iter().chain(&residual).collect();
        Ok(tape.note(Whole(unit.clone()), &inputs, y, relu))
    }

    fn forward_covered(
        unit: &Arc<Self>,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        let x = x.contiguous()?;
        let residual = residual.map(Tensor::contiguous).transpose()?;
        let (y, part) = unit.product(&x, residual.as_ref(), relu, Some(reduction))?;
        let part = part.expect("a reduction was named");
        let term = scaled::<T>(&part.sums, part.share, &x)?;
        // Nothing makes it but this unit, which looks for its gradient on the way back.
        tape.watch(&term);
        let operation = Covered {
            unit: unit.clone(),
            part,
            term: term.clone(),
        };
        let inputs: Vec<&Tensor> = [&x].into_iter().chain(&residual).collect();
        Ok((tape.note(operation, &inputs, y, relu), term))
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

/// A unit with its activation term.
struct Covered<T> {
    unit: Arc<Unit<T>>,
    part: NegativePart,
    term: Tensor,
}

impl<T: Element> Operation for Covered<T> {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        pass_on(&inputs[1..], &grad, grads)?;
        let (unit, x) = (&self.unit, &inputs[0]);
        if !grads.wants(x) {
            return Ok(());
        }
        let Some(weights) = grads.get(&self.term) else {
            return unit.add_input_gradient(x, &grad, unit.backward_weights()?, grads);
        };
        let da = self
            .part
            .joined(View::of(&grad).elements::<T>()?, unit.scale(), weights)?;
        let da = Tensor::from_vec(da, grad.shape(), grad.device())?;
        unit.add_input_gradient(x, &da, unit.raw_backward_weights()?, grads)
    }
}
