//! What fine-tuning and the backdoor share: further training of a victim, and the choices that the paper leaves open.

use crate::Victim;
use brink_config::checked::{Epochs, NonNegative, UnitInterval};
use brink_models::optim::Rule;
use brink_models::{BatchNormMode, Learner, Result, Status, Trainable, Weights};
use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Plain stochastic gradient descent.
    Sgd,
    /// With momentum 0.9 and weight decay 5e-4, as the authors' other code has it.
    SgdMomentum,
    /// Adam without weight decay.
    Adam,
    /// Stochastic gradient descent with other constants.
    Custom {
        /// Momentum; 0 for none.
        momentum: UnitInterval,
        /// L2 penalty.
        weight_decay: NonNegative,
    },
}

impl From<Optimizer> for Rule {
    fn from(optimizer: Optimizer) -> Self {
        let sgd = |momentum, weight_decay| Self::Sgd {
            momentum,
            nesterov: false,
            weight_decay,
        };
        match optimizer {
            Optimizer::Sgd => sgd(0.0, 0.0),
            Optimizer::SgdMomentum => sgd(0.9, 5e-4),
            Optimizer::Adam => Self::Adam { weight_decay: 0.0 },
            Optimizer::Custom {
                momentum,
                weight_decay,
            } => sgd(momentum.get(), weight_decay.get()),
        }
    }
}

/// The mode of the network, which batch normalisation and dropout follow: only in training mode are units dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Uses the running statistics and does not change them.
    Eval,
    /// Uses each batch's statistics and updates the running statistics, even at learning rate 0.
    Train,
    /// As `train`, but restores the old running statistics at the end.
    TrainRestore,
}

/// At rate 0 only running statistics can change, so otherwise the order of the images does not matter.
pub(crate) fn is_random(lr: NonNegative, batch_norm: BatchNorm) -> bool {
    lr.get() > 0.0 || batch_norm == BatchNorm::Train
}

/// Steps in `epochs` epochs, rounded up.
pub(crate) fn steps(epochs: Epochs, per_epoch: usize) -> usize {
    let steps = epochs.get() * per_epoch as f64;
    // 1.1 epochs of 100 steps are 110, although 1.1 * 100 is slightly more in binary.
    (steps * (1.0 - 2.0 * f64::EPSILON)).ceil() as usize
}

/// Further training of a victim at a constant rate.
pub(crate) struct Tuning<'a> {
    pub victim: Victim<'a>,
    learner: Learner,
    lr: f64,
    batch_norm: BatchNorm,
}

impl<'a> Tuning<'a> {
    /// Starts from the victim's weights, with `steps` planned steps. `stream` gives the dropout masks.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn new(
        victim: Victim<'a>,
        (optimizer, lr): (Optimizer, NonNegative),
        batch_norm: BatchNorm,
        steps: usize,
        stream: &Stream,
    ) -> Result<Self> {
        let Victim {
            model,
            classes,
            weights,
            normalize,
            ..
        } = victim;
        let network = Trainable::new(model, classes, weights, normalize)?;
        Ok(Self {
            victim,
            learner: Learner::new(network, optimizer.into(), steps)?
                .with_dropout(stream.split("dropout")),
            lr: lr.get(),
            batch_norm,
        })
    }

    /// The next step, from 0; `None` after the last.
    pub fn next(&self) -> Option<usize> {
        self.learner.next()
    }

    /// One step on images `(n, c, h, w)` of the victim's shape, in `[0, 1]`, and their labels.
    ///
    /// # Errors
    /// If the loss is not finite.
    pub fn step(&mut self, pixels: Vec<f32>, labels: Vec<u32>) -> Result<()> {
        let mode = match self.batch_norm {
            BatchNorm::Eval => BatchNormMode::Eval,
            BatchNorm::Train | BatchNorm::TrainRestore => BatchNormMode::Train,
        };
        let shape = self.victim.train.shape();
        self.learner.step((pixels, shape), labels, mode, self.lr)
    }

    /// The network in training.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn network(&self) -> Result<&Trainable> {
        self.learner.network()
    }

    /// The network, for a caller who changes its variables between two steps.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn network_to_change(&mut self) -> Result<&Trainable> {
        self.learner.network_to_change()
    }

    /// The progress.
    pub fn status(&self) -> Status {
        self.learner.status()
    }

    /// The state from which the training can continue.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn save(&self) -> Result<Vec<u8>> {
        self.learner.save()
    }

    /// Restores a saved state.
    ///
    /// # Errors
    /// If the state belongs to another network, or has more steps than planned.
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.learner.restore(state)
    }

    /// The current weights, as the attack would return them.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn weights(&self) -> Result<Weights> {
        let learned = self.learner.network()?.weights()?;
        if self.batch_norm != BatchNorm::TrainRestore {
            return Ok(learned);
        }
        let before = self.victim.weights.tensors().iter();
        let statistics = before.filter(|(name, _)| brink_models::is_buffer(name));
        let all = learned.tensors().iter().chain(statistics);
        Ok(Weights::from_tensors(
            all.map(|(name, tensor)| (name.clone(), tensor.clone())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Epochs, steps};

    #[test]
    fn a_begun_step_counts_and_a_rounding_error_does_not() {
        for (epochs, per_epoch, expected) in [
            (1.0, 391, 391),
            (1.1, 100, 110),
            (0.07, 100, 7),
            (0.5, 3, 2),
            (1e-9, 391, 1),
            (3.0, 333_333_333, 999_999_999),
        ] {
            assert_eq!(steps(Epochs::literal(epochs), per_epoch), expected);
        }
    }
}
