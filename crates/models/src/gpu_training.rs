//! A training on a GPU. The parameters and what the optimiser keeps of them are there; running statistics, dropout masks and the loss stay
//! on the host.

use crate::error::Result;
use crate::optim::Optimizer;
use crate::pass::{BatchNormMode, Left};
use crate::trainable::Trainable;
use brink_cuda::{Batch, Error as GpuError, Gpu, Trainer};
use brink_ops::Update;
use brink_random::Stream;
use candle_core::{DType, Device, Tensor, Var};
use std::sync::Arc;

/// What the passes of a training depend on: the shape of an image, the mode, and whether units are dropped.
pub(crate) type Key = ([usize; 3], BatchNormMode, bool);

/// A training whose parameters are on a GPU.
pub(crate) struct OnGpu {
    trainer: Trainer,
    left: Left,
    key: Key,
}

impl OnGpu {
    /// Brings `network` and its optimiser to `gpu`. `None` if the network has no form there, or a batch of so many images does not fit.
    pub fn new(
        gpu: &Arc<Gpu>,
        network: &Trainable,
        optimizer: &Optimizer,
        key: Key,
        images: usize,
    ) -> Result<Option<Self>> {
        let narrow = |(_, var): (&str, &Var)| var.dtype() == DType::F32;
        if !network.parameters().all(narrow) {
            return Ok(None);
        }
        let Some((trace, left)) = network.describe(key.0, key.1, key.2)? else {
            return Ok(None);
        };
        let parameters = network.parameters().zip(optimizer.moments());
        let vectors = parameters.map(|((_, var), moments)| {
            let all = [var].into_iter().chain(moments);
            all.map(|var| var.flatten_all()?.to_vec1()).collect()
        });
        let trainer = match Trainer::new(gpu, trace, vectors) {
            Err(GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. }) => return Ok(None),
            trainer => trainer?,
        };
        let there = Self { trainer, left, key };
        Ok(there.takes(key, images)?.then_some(there))
    }

    /// Whether such a batch can be trained there.
    pub fn takes(&self, key: Key, images: usize) -> Result<bool> {
        Ok(self.key == key && self.trainer.fits(images)?)
    }

    /// The logits of `images (n, c, h, w)`, recorded. The running statistics move. `dropout` gives the masks.
    pub fn record(&self, images: &Tensor, dropout: Option<&mut Stream>) -> Result<(Tensor, Batch)> {
        let n = images.dim(0)?;
        let masks = dropout.map_or_else(Vec::new, |stream| {
            let masks = self.left.masks.iter();
            masks.map(|mask| mask.draw(n, stream)).collect()
        });
        let pixels: Vec<f32> = images.flatten_all()?.to_vec1()?;
        let batch = self.trainer.record(&pixels, n, &masks)?;
        for (running, statistics) in self.left.running.iter().zip(batch.statistics()) {
            running.move_towards(statistics)?;
        }
        let logits = batch.logits();
        let shape = (n, logits.len() / n.max(1));
        Ok((Tensor::from_slice(logits, shape, &Device::Cpu)?, batch))
    }

    /// Moves the parameters, from the gradient of the batch's logits.
    pub fn update(&self, batch: &Batch, grad: &Tensor, update: Update) -> Result<()> {
        let grad = grad.flatten_all()?.to_vec1()?;
        Ok(self.trainer.update(batch, grad, update)?)
    }

    /// Brings the parameters and moments back to `network` and its optimiser.
    pub fn bring_back(&self, network: &Trainable, optimizer: &Optimizer) -> Result<()> {
        let parameters = network.parameters().zip(optimizer.moments());
        for (at, ((_, var), moments)) in parameters.enumerate() {
            let vectors = self.trainer.parameter(at)?.into_iter();
            for (var, values) in [var].into_iter().chain(moments).zip(vectors) {
                var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
            }
        }
        Ok(())
    }
}
