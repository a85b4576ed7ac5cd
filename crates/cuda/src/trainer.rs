//! The training of a network on a GPU. Parameters and moments stay there between steps.

use crate::arguments::blocks;
use crate::backward::backward;
use crate::error::Result;
use crate::forward::{Maps, Start, forward};
use crate::gpu::Gpu;
use crate::kernels::*;
use crate::memory::Buffer;
use crate::program::{Program, Weights};
use crate::session::Session;
use brink_ops::trace::{Trace, Work};
use brink_ops::{BatchStatistics, Update};
use std::sync::Arc;

/// A network in training.
pub struct Trainer {
    program: Program,
    /// In the order of the trace.
    parameters: Vec<Parameter>,
}

/// A parameter, and what its optimiser keeps of it.
struct Parameter {
    values: Arc<Buffer>,
    /// A velocity, or Adam's two moments.
    moments: Vec<Buffer>,
    count: usize,
}

/// A recorded batch, from which a walk back can start.
pub struct Batch {
    maps: Maps,
    images: usize,
    logits: Vec<f32>,
    statistics: Vec<BatchStatistics>,
}

impl Batch {
    /// The logits of all images.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The statistics of each normalisation by its batch, in the order of the steps.
    pub fn statistics(&self) -> &[BatchStatistics] {
        &self.statistics
    }
}

impl Trainer {
    /// The training of the network that `trace` describes; its one end is the logits. `parameters` gives, for each parameter in the order of
    /// the trace, its values and then its moments.
    ///
    /// # Errors
    /// If a parameter cannot be read, or there is no memory for them.
    ///
    /// # Panics
    /// If the trace has another number of parameters, or of ends.
    pub fn new(
        gpu: &Arc<Gpu>,
        trace: Trace,
        parameters: impl IntoIterator<Item = candle_core::Result<Vec<Vec<f32>>>>,
    ) -> Result<Self> {
        let mut held = Vec::with_capacity(trace.parameters);
        for vectors in parameters {
            let vectors = vectors?;
            let session = gpu.session()?;
            let uploaded = vectors.iter().map(|vector| session.upload(vector));
            let mut moments = uploaded.collect::<Result<Vec<_>>>()?;
            held.push(Parameter {
                values: Arc::new(moments.remove(0)),
                moments,
                count: vectors[0].len(),
            });
        }
        assert_eq!(held.len(), trace.parameters, "all parameters are given");
        assert_eq!(trace.ends.len(), 1, "the end is the logits");
        Ok(Self {
            program: Program::new(&Weights::new(gpu.clone()), trace, true)?,
            parameters: held,
        })
    }

    /// Whether a batch of so many images fits the memory. A batch is never cut: its statistics belong to the whole.
    ///
    /// # Errors
    /// If the driver fails.
    pub fn fits(&self, images: usize) -> Result<bool> {
        self.program.fits(images)
    }

    /// Runs a batch. Each dropout multiplies by one of the `masks`, in the order of the steps.
    ///
    /// # Errors
    /// If the GPU fails, or has no memory for the batch.
    ///
    /// # Panics
    /// If `pixels` are not that many images, or a mask does not have an element for each unit.
    pub fn record(&self, pixels: &[f32], images: usize, masks: &[Vec<f32>]) -> Result<Batch> {
        let trace = &self.program.trace;
        let size = trace.maps[0].elements();
        assert_eq!(pixels.len(), images * size, "the pixels are the images'");
        let drops = trace.steps.iter();
        let drops = drops.filter(|step| matches!(step.work, Work::Dropout));
        let units = drops.map(|step| images * trace.maps[step.output].elements());
        assert!(
            units.eq(masks.iter().map(Vec::len)),
            "each dropout has its mask"
        );
        let parameters: Vec<_> = self
            .parameters
            .iter()
            .map(|parameter| parameter.values.clone())
            .collect();
        let start = Start {
            images,
            pixels,
            parameters: &parameters,
            masks,
        };
        let session = self.program.gpu.session()?;
        let mut maps = forward(&self.program, &session, start, true)?;
        let end = trace.ends[0];
        let logits = (&**maps.of(end), trace.maps[end].count(images));
        let measured = maps.statistics.iter();
        let measured: Vec<_> = measured
            .map(|(buffer, channels)| (buffer, 2 * channels))
            .collect();
        let (mut logits, measured) = session.download_both(&[logits], &measured)?;
        let counts = trace.steps.iter().filter_map(|step| match step.work {
            Work::BatchNorm { running: None, .. } => {
                let (h, w, _) = trace.maps[step.output].sizes();
                Some(images * h * w)
            }
            _ => None,
        });
        let statistics = counts.zip(measured).map(|(count, mut mean)| {
            let variance = mean.split_off(mean.len() / 2);
            BatchStatistics {
                mean,
                variance,
                count,
            }
        });
        maps.statistics.clear();
        Ok(Batch {
            statistics: statistics.collect(),
            logits: logits.remove(0),
            images,
            maps,
        })
    }

    /// Walks back from the gradient of the logits, and moves every parameter that has a gradient. It does not wait for the GPU.
    ///
    /// # Errors
    /// If the GPU fails.
    ///
    /// # Panics
    /// If `grad` is not as long as the logits.
    pub fn update(&self, batch: &Batch, grad: Vec<f32>, update: Update) -> Result<()> {
        assert_eq!(grad.len(), batch.logits.len(), "a gradient fits the logits");
        let session = self.program.gpu.session()?;
        let grads = [Some(grad)];
        let sums = backward(&self.program, &session, &batch.maps, batch.images, &grads)?;
        for (parameter, grad) in self.parameters.iter().zip(&sums[1..]) {
            if let Some(grad) = grad {
                parameter.step(&session, grad.address(), update)?;
            }
        }
        Ok(())
    }

    /// The values of a parameter, and its moments.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn parameter(&self, at: usize) -> Result<Vec<Vec<f32>>> {
        let Parameter {
            values,
            moments,
            count,
        } = &self.parameters[at];
        let all = [&**values].into_iter().chain(moments);
        let all: Vec<_> = all.map(|buffer| (buffer, *count)).collect();
        self.program.gpu.session()?.download(&all)
    }
}

impl Parameter {
    fn step(&self, session: &Session<'_>, grad: u64, update: Update) -> Result<()> {
        let (weight, count, grid) = (self.values.address(), self.count as i64, blocks(self.count));
        let moment = |at: usize| self.moments.get(at).map_or(0, Buffer::address);
        match update {
            Update::Sgd(step) => {
                let constants = step.single();
                let arguments = Sgd {
                    weight,
                    velocity: moment(0),
                    grad,
                    count,
                    lr: constants.lr,
                    momentum: constants.momentum,
                    decay: constants.decay,
                    least: constants.least,
                    decays: (step.weight_decay != 0.0).into(),
                    first: step.first.into(),
                    nesterov: step.nesterov.into(),
                };
                session.launch(&SGD, grid, arguments)
            }
            Update::Adam(step) => {
                let constants = step.single();
                let ([keep1, keep2], [take1, take2]) = (constants.keep, constants.take);
                let arguments = Adam {
                    weight,
                    mean: moment(0),
                    square: moment(1),
                    grad,
                    count,
                    keep1,
                    keep2,
                    take1,
                    take2,
                    size: constants.size,
                    root: constants.root,
                    eps: constants.eps,
                    decay: constants.decay,
                    least: constants.least,
                    faint: constants.faint,
                    decays: (step.weight_decay != 0.0).into(),
                };
                session.launch(&ADAM, grid, arguments)
            }
        }
    }
}
