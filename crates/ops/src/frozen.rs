//! A unit of a frozen network in one pass: convolution (or linear layer), batch normalisation or bias, residual sum and ReLU.
//!
//! AID's activation term of a unit is recorded while its sums are in registers. On the way back it is a constant that is added to the
//! gradient.
//!
//! Weights are packed once, only the gradients of the activations exist, and the epilogue runs while a tile is in cache.
//! The normalisation is not folded into the weights: so a change of one of their last bits stays a change of the answer.
//! Variables are copied: some weights are packed later than others, and an optimiser may write them in between.

pub(crate) mod traced;

use crate::batch_norm::affine;
use crate::gemm::planned;
use crate::input_gradient;
use crate::kernel::{Element, Epilogue};
use crate::negative::{NegativePart, Reduction, scaled};
use crate::packed::{Packed, pack_forward};
use crate::plan::{Plan, Window};
use crate::sizes::{Sizes, as_map};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, constant};
use crate::trace::{Described, Work};
use candle_core::{DType, Result, Shape, Tensor, bail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A unit in either element type, see [`crate::Frozen`].
#[derive(Clone)]
pub(crate) enum Frozen {
    F32(Arc<Unit<f32>>),
    F64(Arc<Unit<f64>>),
}

/// The vectors that a unit applies to its product, with one element per output channel.
enum After<T> {
    Bias(Vec<T>),
    BatchNorm {
        /// The bias of the convolution, before the normalisation.
        bias: Option<Vec<T>>,
        scale: Vec<T>,
        shift: Vec<T>,
    },
}

/// The product of a unit.
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
    /// See [`crate::Frozen::conv_bn`], which checks the vectors' shapes.
    pub fn conv_bn(
        weight: &Tensor,
        bias: Option<&Tensor>,
        vectors: [&Tensor; 4],
        eps: f64,
        window: Window,
    ) -> Result<Self> {
        fn after<T: Element>(
            bias: Option<&Tensor>,
            vectors: [&Tensor; 4],
            eps: f64,
        ) -> Result<After<T>> {
            let bias = bias.map(Tensor::to_vec1).transpose()?;
            let [gamma, beta, mean, variance] = vectors.map(Tensor::to_vec1::<T>);
            let (scale, shift) = affine(&gamma?, &beta?, &mean?, &variance?, eps);
            Ok(After::BatchNorm { bias, scale, shift })
        }
        let (shape, kind) = (weight.shape().clone(), Kind::Conv(window));
        Ok(match weight.dtype() {
            DType::F32 => Self::F32(Unit::new(weight, shape, after(bias, vectors, eps)?, kind)?),
            _ => Self::F64(Unit::new(weight, shape, after(bias, vectors, eps)?, kind)?),
        })
    }

    /// See [`crate::Frozen::conv`].
    pub fn conv(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        Self::biased(weight, weight.shape().clone(), bias, Kind::Conv(window))
    }

    /// See [`crate::Frozen::linear`], which checks that `map` divides the inputs.
    pub fn linear(weight: &Tensor, bias: &Tensor, map: (usize, usize)) -> Result<Self> {
        let (o, i) = weight.dims2()?;
        let window = Window {
            kernel: map,
            stride: 1,
            padding: 0,
        };
        let shape = Shape::from((o, i / (map.0 * map.1), map.0, map.1));
        Self::biased(weight, shape, bias, Kind::Linear(window))
    }

    fn biased(weight: &Tensor, shape: Shape, bias: &Tensor, kind: Kind) -> Result<Self> {
        Ok(match weight.dtype() {
            DType::F32 => Self::F32(Unit::new(
                weight,
                shape,
                After::Bias(bias.to_vec1()?),
                kind,
            )?),
            _ => Self::F64(Unit::new(
                weight,
                shape,
                After::Bias(bias.to_vec1()?),
                kind,
            )?),
        })
    }

    /// See [`crate::Frozen::forward`].
    pub fn forward(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        match self {
            Self::F32(unit) => Unit::forward(unit, tape, x, residual, relu),
            Self::F64(unit) => Unit::forward(unit, tape, x, residual, relu),
        }
    }

    /// See [`crate::Frozen::forward_covered`], which checks that there are images.
    pub fn forward_covered(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        match self {
            Self::F32(unit) => Unit::forward_covered(unit, tape, x, residual, relu, reduction),
            Self::F64(unit) => Unit::forward_covered(unit, tape, x, residual, relu, reduction),
        }
    }
}

/// Forward and backward plans by map size.
type Plans = HashMap<(usize, usize), Arc<[Plan; 2]>>;

pub(crate) struct Unit<T> {
    /// In torchvision's layout. The backward weights are packed from it when they are first needed.
    weight: Tensor,
    /// (o, c, kh, kw).
    shape: Shape,
    forward: Packed<T>,
    /// The weights of the input gradient, times the scale of the normalisation.
    backward: OnceLock<input_gradient::Weights<T>>,
    /// The same without the scale, for [`Covered`].
    raw_backward: OnceLock<input_gradient::Weights<T>>,
    after: After<T>,
    kind: Kind,
    plans: Mutex<Plans>,
}

impl<T: Element> Unit<T> {
    fn new(weight: &Tensor, shape: Shape, after: After<T>, kind: Kind) -> Result<Arc<Self>> {
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

    /// The weights of the input gradient. They include the scale of the normalisation, which saves a pass.
    fn backward_weights(&self) -> Result<&input_gradient::Weights<T>> {
        self.pack_backward(&self.backward, self.scale())
    }

    /// The same, for a gradient that the scale has already multiplied.
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
        // Packed before the cell is locked: a thread that waits for the packing may take up a shard that needs the same cell.
        let weights =
            input_gradient::Weights::new(weight, scale, o, c, window, &vec![true; kh * kw]);
        Ok(packed.get_or_init(|| weights))
    }

    fn plans(&self, map: (usize, usize)) -> Result<Arc<[Plan; 2]>> {
        // A plan is inserted whole, so a panic elsewhere cannot leave half a plan.
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

    /// The unit on the maps or rows `x`. With a `reduction` it also returns the activation term.
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
            After::BatchNorm { bias, scale, shift } => Epilogue {
                bias: bias.as_deref(),
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
        let part = part.expect("there is a reduction");
        let term = scaled::<T>(&part.sums, part.share, &x)?;
        // No operation records the term. This unit looks up its gradient on the way back.
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

/// Passes the gradient before the ReLU to the residual.
fn pass_on(residual: &[Tensor], grad: &Tensor, grads: &mut Gradients) -> Result<()> {
    residual
        .iter()
        .filter(|r| grads.wants(r))
        .collect::<Vec<_>>()
        .into_iter()
        .try_for_each(|r| grads.add(r, grad.clone()))
}

/// How a unit on the tape describes itself.
fn described<T: Element>(unit: &Arc<Unit<T>>, inputs: &[Tensor]) -> Result<Option<Described>> {
    let (_, h, w, _) = as_map(inputs[0].shape())?;
    let product = traced::Product {
        unit: T::frozen(unit.clone()),
        map: (h, w),
    };
    Ok(product.has_form().then(|| Described {
        maps: (0..inputs.len()).collect(),
        ..Described::new(Work::Product(product))
    }))
}

/// A unit on the tape.
struct Whole<T>(Arc<Unit<T>>);

impl<T: Element> Operation for Whole<T> {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        described(&self.0, inputs)
    }

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

/// A unit with its activation term, on the tape.
struct Covered<T> {
    unit: Arc<Unit<T>>,
    part: NegativePart,
    term: Tensor,
}

impl<T: Element> Operation for Covered<T> {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let term = Some((self.term.clone(), self.part.share));
        let described = described(&self.unit, inputs)?;
        Ok(described.map(|described| Described { term, ..described }))
    }

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
