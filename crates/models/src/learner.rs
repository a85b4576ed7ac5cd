//! A network and its optimiser between two steps: what training and fine-tuning share.

use crate::optim::{Optimizer, Rule};
use crate::state::State;
use crate::{BatchNormMode, Error, Result, Status, Trainable, loss};
use candle_core::Tensor;
use spec::Stream;

/// A network that learns, a step at a time.
pub struct Learner {
    network: Trainable,
    optimizer: Optimizer,
    /// Of dropout masks.
    dropout: Option<Stream>,
    done: usize,
    total: usize,
    loss: f32,
}

impl Learner {
    /// Starts with `network` and a fresh optimiser; `total` steps are planned.
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

    /// Drops units in steps that are in training mode, by masks out of `stream`.
    #[must_use]
    pub fn with_dropout(self, stream: Stream) -> Self {
        Self {
            dropout: Some(stream),
            ..self
        }
    }

    /// The step that comes next, from 0; `None` after the last.
    pub fn next(&self) -> Option<usize> {
        (self.done < self.total).then_some(self.done)
    }

    /// One step, in f32, on a batch: pixels in `[0, 1]` of `(n, c, h, w)` images of `shape` `(c, h, w)`, and their labels.
    ///
    /// # Errors
    /// If the batch does not fit the network, or the loss is no longer finite.
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

    /// How far it is.
    pub fn status(&self) -> Status {
        Status {
            done: self.done,
            total: self.total,
            finished: self.done == self.total,
            note: format!("loss {:.3}", self.loss),
        }
    }

    /// Everything needed to go on from here.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn save(&self) -> Result<Vec<u8>> {
        let state = self
            .network
            .save(State::default().number("done", self.done));
        self.optimizer.save(&self.network, state).to_bytes()
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// If the state is of another network, or further than planned.
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        self.network.restore(&state)?;
        self.optimizer.restore(&self.network, &state)?;
        self.done = state.count("done")?;
        if self.done > self.total {
            return Err(Error::State(format!(
                "it is {} steps into a training of {}",
                self.done, self.total
            )));
        }
        Ok(())
    }

    /// The network as it is now.
    pub fn network(&self) -> &Trainable {
        &self.network
    }

    /// The network.
    pub fn into_network(self) -> Trainable {
        self.network
    }
}
