//! A frozen network: images in, logits out.

use crate::builder::Source;
use crate::coverage::Coverage;
use crate::error::{Error, Result};
use crate::levels::{Activations, Range};
use crate::normalize::Normalize;
use crate::pass::{BatchNormMode, Body, Outputs, Pass};
use crate::recording::{self, BatchShard, Recording};
use crate::registry::Model;
use crate::slot::Slot;
use crate::weights::{Weights, is_layer};
use brink_ops::{Tape, node};
use candle_core::{DType, Device, Tensor, Var};
use rayon::prelude::*;

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
    /// A frozen network: its weights are packed once, and only the input has a gradient.
    ///
    /// Variables are copied, so later training does not change the network. Other tensors are shared. A detached variable looks like
    /// another tensor, so copy it first: [`Trainable::weights`](crate::Trainable::weights) does.
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

    pub(crate) fn build(
        model: Model,
        classes: usize,
        source: Source<'_>,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        let first = match &source {
            Source::Declared => None,
            Source::Frozen(tensors) => tensors.values().next().cloned(),
            Source::Trainable(vars) => vars.values().next().map(|v| v.as_tensor().clone()),
        };
        let (dtype, device) = first.map_or((DType::F32, Device::Cpu), |t| {
            (t.dtype(), t.device().clone())
        });
        let vector = |v: [f64; 3]| Tensor::new(&v, &device)?.to_dtype(dtype);
        let normalize = match normalize {
            Some(Normalize { mean, std }) => Some([vector(mean)?, vector(std)?]),
            None => None,
        };
        let mut builder = model.builder(source);
        let body = model.build(&mut builder, classes)?;
        let layer = |slot: &&Slot| is_layer(&slot.name, slot.shape.len());
        let layers = builder.slots.iter().filter(layer).count();
        Ok(Self {
            body,
            model,
            classes,
            normalize,
            layers,
            activations: None,
            dtype,
            device,
        })
    }

    /// The same network with rounded layer outputs. Rounding has no gradient, so the gradient of the images is 0.
    ///
    /// # Panics
    /// If the number of `activations` is not the number of layers.
    #[must_use]
    pub fn with_activations(self, activations: Activations) -> Self {
        let given = activations.layers().len();
        assert_eq!(given, self.layers, "activations do not match layers");
        Self {
            activations: Some(activations),
            ..self
        }
    }

    /// The range of each layer's outputs for images `(n, 3, h, w)` in `[0, 1]`, in the order of the forward pass and without rounding.
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

    /// The number of layers with weights: convolutions and linear layers.
    pub fn layers(&self) -> usize {
        self.layers
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

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`, in evaluation mode. Candle tracks them if it tracks `images`.
    ///
    /// # Errors
    /// If the images are too small or have another shape.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let [logits] = node(images, |tape, images| {
            let mut pass = self.pass(tape);
            Ok::<_, Error>([self.forward(images, &mut pass)?])
        })?;
        Ok(logits)
    }

    /// The same bits as [`Network::logits`], recorded for the gradient of the images; with the activation term if `coverage` names one.
    ///
    /// # Errors
    /// Those of [`Network::logits`].
    pub fn record(&self, images: &Tensor, coverage: Option<Coverage>) -> Result<Recording> {
        let n = images.dim(0)?;
        let shards = match images.device().is_cpu() {
            true => recording::shards(n),
            false => 1,
        };
        let size = n.div_ceil(shards).max(1);
        let shard = |at: usize| {
            let images = images.narrow(0, at, size.min(n - at))?;
            self.record_shard(&images.contiguous()?, coverage)
        };
        let starts: Vec<usize> = (0..n.max(1)).step_by(size).collect();
        let shards = starts
            .into_par_iter()
            .map(shard)
            .collect::<Result<Vec<_>>>()?;
        Recording::new(shards, coverage)
    }

    fn record_shard(&self, images: &Tensor, coverage: Option<Coverage>) -> Result<BatchShard> {
        // On other devices candle's graph replaces the tape, and it starts at a variable.
        let images = match images.device().is_cpu() {
            true => images.detach(),
            false => Var::from_tensor(images)?.into_inner(),
        };
        let mut tape = Tape::recording();
        tape.watch(&images);
        let mut pass = self.pass(&mut tape);
        pass.coverage = coverage.map(|coverage| (coverage.reduction(), Vec::new()));
        let logits = self.forward(&images, &mut pass)?;
        let mut terms = pass.coverage.map_or_else(Vec::new, |(_, terms)| terms);
        if coverage == Some(Coverage::Hidden) {
            // The classifier is the last layer.
            terms.pop();
        }
        Ok(BatchShard {
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
            pass.outputs = Outputs::Rounded(activations.layers().iter());
        }
        pass
    }

    pub(crate) fn forward(&self, images: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = brink_ops::channels_last(pass.tape, images)?;
        if let Some([mean, std]) = &self.normalize {
            x = brink_ops::normalize(pass.tape, &x, mean, std)?;
        }
        self.body.forward(&x, pass)
    }
}
