//! A whole network: images in, logits out, frozen or trainable.

use crate::activations::{Activations, Outputs, Range};
use crate::layers::Source;
use crate::recording::{self, Forward, Recording, Strand};
use crate::state::State;
use crate::weights::is_buffer;
use crate::{Error, Model, Result, Weights};
use candle_core::{DType, Device, Tensor, Var};
use ops::{Reduction, Tape, node};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spec::Stream;
use std::collections::BTreeMap;

/// What batch normalisation does in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNormMode {
    /// Normalises with the running statistics and leaves them alone.
    Eval,
    /// Normalises with the batch's statistics and moves the running ones.
    Train,
}

/// AID's activation term: what every convolution, before its batch normalisation, and every linear layer leaves negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// As released: a sum over all units that only shows in the reported loss.
    Detached,
    /// The sum over layers of the mean over units, with its gradient.
    Attached,
    /// The same without the classifier, as AID's own code has it, nor a keyed head behind it.
    Hidden,
}

impl Coverage {
    /// The term of outputs `(n, k)` that are no layer's of the network: `(n)`.
    ///
    /// # Errors
    /// If `output` is neither f32 nor f64.
    pub fn of(self, tape: &mut Tape, output: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Attached | Self::Hidden => ops::negative_part(tape, output, self.reduction())?,
            Self::Detached => {
                ops::negative_part(&mut Tape::off(), &output.detach(), self.reduction())?
            }
        })
    }

    fn reduction(self) -> Reduction {
        match self {
            Self::Detached => Reduction::Sum,
            Self::Attached | Self::Hidden => Reduction::Mean,
        }
    }

    /// The term of a batch, of those of its images: their mean, or as released their sum.
    pub fn of_batch(self, images: &[f64]) -> f64 {
        let sum: f64 = images.iter().sum();
        match self {
            Self::Detached => sum,
            Self::Attached | Self::Hidden => sum / images.len() as f64,
        }
    }
}

/// One forward pass through the layers.
pub(crate) struct Pass<'a> {
    pub tape: &'a mut Tape,
    pub batch_norm: BatchNormMode,
    /// Where dropout, if the network has any, gets its masks from; units are dropped in training only.
    dropout: Option<&'a mut Stream>,
    /// The reduction of the activation term, and the terms of the layers so far; of frozen networks only.
    pub covered: Option<(Reduction, Vec<Tensor>)>,
    /// What becomes of the layers' outputs; of frozen networks only.
    outputs: Outputs<'a>,
}

impl<'a> Pass<'a> {
    fn new(tape: &'a mut Tape, batch_norm: BatchNormMode) -> Self {
        Self {
            tape,
            batch_norm,
            dropout: None,
            covered: None,
            outputs: Outputs::Plain,
        }
    }

    /// Whether images are nothing to each other and layers' outputs nothing but the next layer's input: then a few may go ahead.
    pub fn takes_images_apart(&self) -> bool {
        !self.tape.is_recording()
            && self.batch_norm == BatchNormMode::Eval
            && self.covered.is_none()
            && matches!(self.outputs, Outputs::Plain)
    }

    /// Drops half of the units of `x`, if this is training.
    pub fn dropout(&mut self, x: &Tensor) -> Result<Tensor> {
        let Some(stream) = &mut self.dropout else {
            return Ok(x.clone());
        };
        let mask: Vec<f32> = (0..x.elem_count())
            .map(|_| if stream.uniform() < 0.5 { 0.0 } else { 2.0 })
            .collect();
        let mask = Tensor::from_vec(mask, x.shape(), &Device::Cpu)?;
        let mask = mask.to_device(x.device())?.to_dtype(x.dtype())?;
        Ok(ops::dropout(self.tape, x, &mask)?)
    }

    /// A layer: `plain`, or `covered` where the activation term is asked for.
    pub fn layer(
        &mut self,
        plain: impl FnOnce(&mut Tape) -> candle_core::Result<Tensor>,
        covered: impl FnOnce(&mut Tape, Reduction) -> candle_core::Result<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let y = match &mut self.covered {
            None => plain(self.tape)?,
            Some((reduction, terms)) => {
                let (y, term) = covered(self.tape, *reduction)?;
                terms.push(term);
                y
            }
        };
        self.outputs.layer(y)
    }
}

/// The layers of one architecture: channels-last images in, logits `(n, classes)` out.
pub(crate) trait Body: Send + Sync {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor>;
}

/// Input normalisation `(x - mean) / std` per channel, as part of the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Mean per channel, on the scale of pixels in `[0, 1]`.
    pub mean: [f64; 3],
    /// Standard deviation per channel.
    pub std: [f64; 3],
}

impl Normalize {
    /// ImageNet's, which many published networks were trained with, whatever their data set.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
}

/// A network that answers queries and passes gradients to its input.
pub struct Network {
    body: Box<dyn Body>,
    model: Model,
    classes: usize,
    /// Mean and standard deviation as `(3,)` tensors.
    normalize: Option<[Tensor; 2]>,
    /// Number of layers with weights.
    layers: usize,
    activations: Option<Activations>,
    dtype: DType,
    device: Device,
}

impl Network {
    /// A frozen network: its weights are packed once, and only the input has a gradient. Variables are copied, so that what they learn later does not
    /// reach it; other tensors are shared, and a variable that was detached looks like one of them: [`Trainable::weights`] copies.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn frozen(
        model: Model,
        classes: usize,
        weights: &Weights,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        weights.check(model, classes)?;
        Self::build(model, classes, Source::Frozen(weights.tensors()), normalize)
    }

    fn build(
        model: Model,
        classes: usize,
        source: Source<'_>,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        let any = match &source {
            Source::Declared => None,
            Source::Frozen(tensors) => tensors.values().next().cloned(),
            Source::Live(vars) => vars.values().next().map(|v| v.as_tensor().clone()),
        };
        let (dtype, device) = any.map_or((DType::F32, Device::Cpu), |t| {
            (t.dtype(), t.device().clone())
        });
        let vector = |v: [f64; 3]| Tensor::new(&v, &device)?.to_dtype(dtype);
        let normalize = match normalize {
            Some(Normalize { mean, std }) => Some([vector(mean)?, vector(std)?]),
            None => None,
        };
        let mut builder = model.builder(source);
        let body = model.build(&mut builder, classes)?;
        let matrices = builder.slots.iter().filter(|slot| slot.shape.len() > 1);
        Ok(Self {
            body,
            model,
            classes,
            normalize,
            layers: matrices.count(),
            activations: None,
            dtype,
            device,
        })
    }

    /// The same network with every layer's output rounded. A rounding has no gradient: that of the images is 0.
    ///
    /// # Panics
    /// If there are not as many `activations` as layers.
    #[must_use]
    pub fn with_activations(self, activations: Activations) -> Self {
        let levels = activations.levels().len();
        assert_eq!(levels, self.layers, "levels do not match layers");
        Self {
            activations: Some(activations),
            ..self
        }
    }

    /// The range of each layer's outputs for images `(n, 3, h, w)` in `[0, 1]`, in the order of the forward pass, nothing being rounded.
    ///
    /// # Errors
    /// Those of [`Network::logits`].
    pub fn ranges(&self, images: &Tensor) -> Result<Vec<Range>> {
        let (mut tape, mut ranges) = (Tape::off(), Vec::new());
        let mut pass = Pass::new(&mut tape, BatchNormMode::Eval);
        pass.outputs = Outputs::Measured(&mut ranges);
        self.forward(&images.detach(), &mut pass)?;
        Ok(ranges)
    }

    /// The architecture.
    pub fn model(&self) -> Model {
        self.model
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The element type of the weights.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`, in evaluation mode. Where `images` is tracked by candle, so are they.
    ///
    /// # Errors
    /// If the images are too small or of another shape.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let [logits] = node(images, |tape, images| {
            let mut pass = self.pass(tape);
            Ok::<_, Error>([self.forward(images, &mut pass)?])
        })?;
        Ok(logits)
    }

    /// [`Network::logits`], to the same bits, recorded for the gradient of the images; with the activation term where one is asked
    /// for.
    ///
    /// # Errors
    /// Those of [`Network::logits`].
    pub fn record(&self, images: &Tensor, coverage: Option<Coverage>) -> Result<Recording> {
        let n = images.dim(0)?;
        let strands = match images.device().is_cpu() {
            true => recording::strands(n),
            false => 1,
        };
        let share = n.div_ceil(strands).max(1);
        let strand = |at: usize| {
            let images = images.narrow(0, at, share.min(n - at))?;
            self.strand(&images.contiguous()?, coverage)
        };
        let starts: Vec<usize> = (0..n.max(1)).step_by(share).collect();
        let strands = starts
            .into_par_iter()
            .map(strand)
            .collect::<Result<Vec<_>>>()?;
        Recording::new(strands, coverage)
    }

    fn strand(&self, images: &Tensor, coverage: Option<Coverage>) -> Result<Strand> {
        // Candle's graph, which is the tape of other devices, begins at a variable.
        let images = match images.device().is_cpu() {
            true => images.detach(),
            false => Var::from_tensor(images)?.into_inner(),
        };
        let mut tape = Tape::recording();
        tape.watch(&images);
        let mut pass = self.pass(&mut tape);
        pass.covered = coverage.map(|coverage| (coverage.reduction(), Vec::new()));
        let logits = self.forward(&images, &mut pass)?;
        let mut terms = pass.covered.map_or_else(Vec::new, |(_, terms)| terms);
        if coverage == Some(Coverage::Hidden) {
            // The classifier comes last.
            terms.pop();
        }
        Ok(Strand {
            images,
            logits,
            terms,
            tape,
        })
    }

    /// A pass in evaluation mode.
    fn pass<'a>(&'a self, tape: &'a mut Tape) -> Pass<'a> {
        let mut pass = Pass::new(tape, BatchNormMode::Eval);
        if let Some(activations) = &self.activations {
            pass.outputs = Outputs::Rounded(activations.levels().iter());
        }
        pass
    }

    fn forward(&self, images: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = ops::channels_last(pass.tape, images)?;
        if let Some([mean, std]) = &self.normalize {
            x = ops::normalize(pass.tape, &x, mean, std)?;
        }
        self.body.forward(&x, pass)
    }
}

/// A network whose parameters have gradients.
pub struct Trainable {
    network: Network,
    vars: BTreeMap<String, Var>,
}

impl Trainable {
    /// A trainable copy of `weights`.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn new(
        model: Model,
        classes: usize,
        weights: &Weights,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        weights.check(model, classes)?;
        let vars: BTreeMap<String, Var> = weights
            .tensors()
            .iter()
            // Detached, since a variable would be shared and not copied.
            .map(|(name, t)| Ok((name.clone(), Var::from_tensor(&t.detach())?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            network: Network::build(model, classes, Source::Live(&vars), normalize)?,
            vars,
        })
    }

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`, without gradients.
    ///
    /// # Errors
    /// If the images are too small or of another shape.
    pub fn logits(&self, images: &Tensor, batch_norm: BatchNormMode) -> Result<Tensor> {
        let mut tape = Tape::off();
        let mut pass = Pass::new(&mut tape, batch_norm);
        Ok(self.network.forward(images, &mut pass)?.detach())
    }

    /// The same, recorded: for the gradients of all parameters, and of `images` if that is a variable. Dropout, where the network has it,
    /// needs a stream.
    ///
    /// # Errors
    /// If the images are too small or of another shape.
    pub fn record(
        &self,
        images: &Tensor,
        batch_norm: BatchNormMode,
        dropout: Option<&mut Stream>,
    ) -> Result<Forward> {
        let mut tape = Tape::recording();
        let mut pass = Pass::new(&mut tape, batch_norm);
        pass.dropout = dropout;
        let logits = self.network.forward(images, &mut pass)?;
        Ok(Forward { logits, tape })
    }

    /// The parameters by name, buffers left out.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(name, var)| (name.as_str(), var))
    }

    /// All variables by name, parameters and buffers; a clone of one goes on changing with the network.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.network.device()
    }

    /// Adds all weights to a state.
    pub fn save(&self, state: State) -> State {
        self.vars.iter().fold(state, |state, (name, var)| {
            state.tensor(format!("weight/{name}"), var)
        })
    }

    /// Takes all weights up from a state.
    ///
    /// # Errors
    /// If the state is not of this network.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in &self.vars {
            state.set(var, &format!("weight/{name}"))?;
        }
        Ok(())
    }

    /// A copy of the weights as they are now.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn weights(&self) -> Result<Weights> {
        let copy =
            |(name, var): (&String, &Var)| Ok((name.clone(), var.as_detached_tensor().copy()?));
        Ok(Weights::from_tensors(
            self.vars.iter().map(copy).collect::<Result<Vec<_>>>()?,
        ))
    }
}
