//! A network with its optimiser, which training and fine-tuning share.

use crate::error::{Error, Result};
use crate::job::Status;
use crate::loss;
use crate::optim::{Optimizer, Rule};
use crate::pass::BatchNormMode;
use crate::state::State;
use crate::trainable::Trainable;
use brink_random::Stream;
use candle_core::Tensor;

/// A network that is trained step by step.
pub struct Learner {
    network: Trainable,
    optimizer: Optimizer,
    /// The stream of dropout masks.
    dropout: Option<Stream>,
    done: usize,
    total: usize,
    loss: f32,
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
            dropout: None,
            done: 0,
            total,
            loss: f32::NAN,
        })
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
        let device = self.network.device();
        let images = Tensor::from_vec(pixels, (n, c, h, w), device)?;
        let labels = Tensor::from_vec(labels, n, device)?;
        let mut masks = match (&self.dropout, batch_norm) {
            (Some(stream), BatchNormMode::Train) => Some(stream.split(&self.done.to_string())),
            _ => None,
        };
        let forward = self.network.record(&images, batch_norm, masks.as_mut())?;
        let (loss, grad) = loss::cross_entropy_gradient(&forward.logits(), &labels)?;
        self.loss = loss.to_scalar()?;
        if !self.loss.is_finite() {
            return Err(Error::Diverged {
                what: "the training loss".into(),
                value: self.loss,
                iteration: self.done + 1,
            });
        }
        let grads = forward.backward(grad)?;
        self.optimizer.step(&self.network, &grads, lr)?;
        self.done += 1;
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
    pub fn network(&self) -> &Trainable {
        &self.network
    }

    /// The network, without its optimiser.
    pub fn into_network(self) -> Trainable {
        self.network
    }
}
