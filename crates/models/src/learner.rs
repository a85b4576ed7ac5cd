//! A network with its optimiser, which training and fine-tuning share.
//!
//! If the process has chosen a GPU, the steps that have a form there run on it, with the same bits. The network's own variables are then
//! behind, until something reads them.

use crate::error::{Error, Result};
use crate::gpu;
use crate::gpu_training::{Key, OnGpu};
use crate::job::Status;
use crate::loss;
use crate::optim::{Optimizer, Rule};
use crate::pass::BatchNormMode;
use crate::recording::Forward;
use crate::state::State;
use crate::trainable::Trainable;
use brink_cuda::{Batch, Gpu};
use brink_random::Stream;
use candle_core::Tensor;
use std::sync::Arc;

/// A network that is trained step by step.
pub struct Learner {
    network: Trainable,
    optimizer: Optimizer,
    /// The GPU to train on, unless a batch has had no form there.
    gpu: Option<Arc<Gpu>>,
    /// The training there, if it has begun.
    on_gpu: Option<OnGpu>,
    /// The stream of dropout masks.
    dropout: Option<Stream>,
    done: usize,
    total: usize,
    loss: f32,
}

/// The recorded pass of a batch.
enum Recorded<'a> {
    Here(Forward),
    OnGpu(&'a OnGpu, Batch),
}

impl Learner {
    /// Starts with `network`, a fresh optimiser and `total` planned steps.
    ///
    /// # Errors
    /// If the device has no memory for the optimiser.
    pub fn new(network: Trainable, rule: Rule, total: usize) -> Result<Self> {
        Ok(Self {
            optimizer: Optimizer::new(rule, &network)?,
            network,
            gpu: gpu::chosen(),
            on_gpu: None,
            dropout: None,
            done: 0,
            total,
            loss: f32::NAN,
        })
    }

    /// The same training on `gpu`, with the same bits. What has no form there, or does not fit its memory, stays on the CPU.
    #[must_use]
    pub fn on(self, gpu: Arc<Gpu>) -> Self {
        Self {
            gpu: Some(gpu),
            ..self
        }
    }

    /// Whether the last step ran on a GPU.
    pub fn is_on_gpu(&self) -> bool {
        self.on_gpu.is_some()
    }

    /// Drops units in training-mode steps, with masks from `stream`.
    #[must_use]
    pub fn with_dropout(self, stream: Stream) -> Self {
        Self {
            dropout: Some(stream),
            ..self
        }
    }

    /// The next step, from 0; `None` after the last.
    pub fn next(&self) -> Option<usize> {
        (self.done < self.total).then_some(self.done)
    }

    /// One step in f32 on a batch: the pixels in `[0, 1]` of images `(n, c, h, w)`, whose shape is `(c, h, w)`, and their labels.
    ///
    /// # Errors
    /// If the batch does not fit the network, or the loss is not finite.
    pub fn step(
        &mut self,
        (pixels, shape): (Vec<f32>, [usize; 3]),
        labels: Vec<u32>,
        batch_norm: BatchNormMode,
        lr: f64,
    ) -> Result<()> {
        let (n, [c, h, w]) = (labels.len(), shape);
        let device = self.network.device().clone();
        let mut masks = match (&self.dropout, batch_norm) {
            (Some(stream), BatchNormMode::Train) => Some(stream.split(&self.done.to_string())),
            _ => None,
        };
        let images = Tensor::from_vec(pixels, (n, c, h, w), &device)?;
        self.choose((shape, batch_norm, masks.is_some()), n)?;
        let (logits, recorded) = match &self.on_gpu {
            Some(there) => {
                let (logits, batch) = there.record(&images, masks.as_mut())?;
                (logits, Recorded::OnGpu(there, batch))
            }
            None => {
                let forward = self.network.record(&images, batch_norm, masks.as_mut())?;
                (forward.logits(), Recorded::Here(forward))
            }
        };
        let labels = Tensor::from_vec(labels, n, &device)?;
        let (loss, grad) = loss::cross_entropy_gradient(&logits, &labels)?;
        self.loss = loss.to_scalar()?;
        if !self.loss.is_finite() {
            return Err(Error::Diverged {
                what: "the training loss".into(),
                value: self.loss,
                iteration: self.done + 1,
            });
        }
        match recorded {
            Recorded::Here(forward) => {
                let grads = forward.backward(grad)?;
                self.optimizer.step(&self.network, &grads, lr)?;
            }
            Recorded::OnGpu(there, batch) => {
                there.update(&batch, &grad, self.optimizer.next(lr))?;
            }
        }
        self.done += 1;
        Ok(())
    }

    /// Chooses where such a batch of so many images is trained.
    fn choose(&mut self, key: Key, images: usize) -> Result<()> {
        if let Some(there) = &self.on_gpu
            && !there.takes(key, images)?
        {
            self.leave_gpu()?;
        }
        if let (Some(gpu), None) = (&self.gpu, &self.on_gpu) {
            self.on_gpu = OnGpu::new(gpu, &self.network, &self.optimizer, key, images)?;
            if self.on_gpu.is_none() {
                // It would be tried in vain before every step.
                self.gpu = None;
            }
        }
        Ok(())
    }

    /// Brings the network and the optimiser up to date.
    fn bring_back(&self) -> Result<()> {
        match &self.on_gpu {
            Some(there) => there.bring_back(&self.network, &self.optimizer),
            None => Ok(()),
        }
    }

    /// Ends the training on the GPU. The next step may begin it again.
    fn leave_gpu(&mut self) -> Result<()> {
        self.bring_back()?;
        self.on_gpu = None;
        Ok(())
    }

    /// The progress.
    pub fn status(&self) -> Status {
        Status {
            done: self.done,
            total: self.total,
            finished: self.done == self.total,
            note: format!("loss {:.3}", self.loss),
        }
    }

    /// The state from which training can continue.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn save(&self) -> Result<Vec<u8>> {
        self.bring_back()?;
        let state = self
            .network
            .save(State::default().number("done", self.done));
        self.optimizer.save(&self.network, state).to_bytes()
    }

    /// Restores a saved state.
    ///
    /// # Errors
    /// If the state belongs to another network, or has more steps than planned.
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        self.on_gpu = None;
        self.network.restore(&state)?;
        self.optimizer.restore(&self.network, &state)?;
        self.done = state.count("done")?;
        if self.done > self.total {
            return Err(Error::State(format!(
                "it has {} steps of a training with {}",
                self.done, self.total
            )));
        }
        Ok(())
    }

    /// The current network.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn network(&self) -> Result<&Trainable> {
        self.bring_back()?;
        Ok(&self.network)
    }

    /// The current network, for a caller who changes its variables.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn network_to_change(&mut self) -> Result<&Trainable> {
        self.leave_gpu()?;
        Ok(&self.network)
    }

    /// The network, without its optimiser.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn into_network(self) -> Result<Trainable> {
        self.bring_back()?;
        Ok(self.network)
    }
}
