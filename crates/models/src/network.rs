//! A frozen network: images in, logits out.

use crate::builder::Source;
use crate::coverage::Coverage;
use crate::error::{Error, Result};
use crate::gpu::{self, OnGpu};
use crate::levels::{Activations, Range};
use crate::normalize::Normalize;
use crate::pass::{BatchNormMode, Body, Outputs, Pass};
use crate::recording::{self, BatchShard, OnGpu as Recorded, Recording};
use crate::registry::Model;
use crate::slot::Slot;
use crate::weights::{Weights, is_layer};
use brink_cuda::{Gpu, Program};
use brink_ops::{Tape, node};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

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
    gpu: Option<OnGpu>,
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
        let network = Self::build(model, classes, Source::Frozen(weights.tensors()), normalize)?;
        Ok(match gpu::chosen() {
            Some(gpu) => network.on(gpu),
            None => network,
        })
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
            gpu: None,
        })
    }

    /// The same network on `gpu`, with the same bits. What has no form there stays on the CPU.
    #[must_use]
    pub fn on(self, gpu: Arc<Gpu>) -> Self {
        let fits = self.dtype == DType::F32;
        Self {
            gpu: fits.then(|| OnGpu::new(gpu)),
            ..self
        }
    }

    /// Whether it runs on a GPU, as far as it can.
    pub fn is_on_gpu(&self) -> bool {
        self.gpu.is_some()
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
            gpu: None,
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
        if let Some(program) = self.program(images, None, false)? {
            let n = images.dim(0)?;
            let mut ends = program.run(&pixels(images)?, n)?;
            return Ok(Tensor::from_vec(
                ends.remove(0),
                (n, self.classes),
                &self.device,
            )?);
        }
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
        if let Some(program) = self.program(images, coverage, true)? {
            let pass = program.record(pixels(images)?, n)?;
            let shape = images.shape().clone();
            return Recording::on_gpu(Recorded { pass, shape }, self.classes, coverage);
        }
        let shards = recording::shards(n);
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
        let images = images.detach();
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

    /// The pass for images like `images` on the GPU, if there is one and candle does not track the images.
    fn program(
        &self,
        images: &Tensor,
        coverage: Option<Coverage>,
        recording: bool,
    ) -> Result<Option<Arc<Program>>> {
        let Some(gpu) = &self.gpu else {
            return Ok(None);
        };
        let &[n, c, h, w] = images.dims() else {
            return Ok(None);
        };
        let tracked = !recording && images.track_op();
        if n == 0 || tracked || images.dtype() != DType::F32 {
            return Ok(None);
        }
        gpu.program(([c, h, w], coverage, recording), || {
            let one = Tensor::zeros((1, c, h, w), DType::F32, &self.device)?;
            let BatchShard {
                images,
                logits,
                terms,
                tape,
            } = self.record_shard(&one, coverage)?;
            let ends: Vec<&Tensor> = [&logits].into_iter().chain(&terms).collect();
            Ok(tape.trace(&images, &[], &ends)?)
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

/// All pixels in order.
fn pixels(images: &Tensor) -> Result<Vec<f32>> {
    Ok(images.flatten_all()?.to_vec1()?)
}
