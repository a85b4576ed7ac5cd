//! Fine-tuning at learning rates down to 1e-10 (the paper's Table III).
//!
//! The paper names neither optimiser nor batch-normalisation mode. The default is the likeliest reading: Adam, which moves every
//! weight by about the learning rate, with running statistics left alone. Under plain SGD an update of 1e-12 is lost in f32
//! for nearly every weight; with statistics updating, every method detects even a learning rate of 0.

use crate::{Attack, Victim};
use data::Batches;
use models::optim::Rule;
use models::{BatchNormMode, Job, Learner, Result, Status, Trainable, Weights};
use serde::{Deserialize, Serialize};
use spec::Stream;
use spec::checked::{Count, NonNegative, Positive, UnitInterval};
use std::num::NonZeroUsize;

/// Fine-tuning on the training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Finetune {
    /// Learning rate; 0 is the control: everything runs and nothing moves.
    pub lr: NonNegative,
    /// The update rule.
    pub optimizer: Optimizer,
    /// What batch normalisation does meanwhile.
    pub batch_norm: BatchNorm,
    /// Images per step.
    pub batch: Count,
    /// Passes over the training images, unless `steps` is given.
    pub epochs: Positive,
    /// Steps, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Count>,
}

impl Default for Finetune {
    fn default() -> Self {
        Self {
            lr: NonNegative::literal(1e-5),
            optimizer: Optimizer::Adam,
            batch_norm: BatchNorm::Eval,
            batch: Count::literal(128),
            epochs: Positive::literal(1.0),
            steps: None,
        }
    }
}

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
    /// Stochastic gradient descent with constants of one's own.
    Custom {
        /// Momentum; 0 is none.
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

/// What batch normalisation does during fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Uses the running statistics and leaves them alone.
    Eval,
    /// Uses each batch's statistics and moves the running ones, whatever the learning rate.
    Train,
    /// As `train`, with the old running statistics put back at the end.
    TrainRestore,
}

impl Attack for Finetune {
    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Weights> + 'a>> {
        let network = Trainable::new(
            victim.model,
            victim.classes,
            victim.weights,
            victim.normalize,
        )?;
        let size = NonZeroUsize::new(self.batch.get()).unwrap_or(NonZeroUsize::MIN);
        let batches = Batches::new(victim.train.len(), size, &stream.split("order"));
        let steps = match self.steps {
            Some(steps) => steps.get(),
            None => (self.epochs.get() * batches.per_epoch() as f64).ceil() as usize,
        };
        Ok(Box::new(Tuning {
            learner: Learner::new(network, self.optimizer.into(), steps)?,
            settings: self.clone(),
            victim,
            batches,
        }))
    }
}

/// A fine-tuning in progress.
struct Tuning<'a> {
    learner: Learner,
    settings: Finetune,
    victim: Victim<'a>,
    batches: Batches,
}

impl Job for Tuning<'_> {
    type Output = Weights;

    fn advance(&mut self) -> Result<Status> {
        if let Some(step) = self.learner.next() {
            let batch = self.batches.step(step);
            let train = self.victim.train;
            let mode = match self.settings.batch_norm {
                BatchNorm::Eval => BatchNormMode::Eval,
                BatchNorm::Train | BatchNorm::TrainRestore => BatchNormMode::Train,
            };
            self.learner.step(
                (train.images(&batch), train.shape()),
                train.labels(&batch),
                mode,
                self.settings.lr.get(),
            )?;
        }
        Ok(self.learner.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.learner.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.learner.restore(state)
    }

    fn finish(self: Box<Self>) -> Result<Weights> {
        let after = self.learner.into_network().weights()?;
        if self.settings.batch_norm != BatchNorm::TrainRestore {
            return Ok(after);
        }
        // Everything learned, with the running statistics of before.
        let before = self.victim.weights.tensors();
        let tensors = after.tensors().iter().map(|(name, new)| {
            let tensor = before.get(name).filter(|_| models::is_buffer(name));
            (name.clone(), tensor.unwrap_or(new).clone())
        });
        Ok(Weights::from_tensors(tensors))
    }
}
