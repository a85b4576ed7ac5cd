//! Training from scratch: SGD with Nesterov momentum (or Adam) and weight decay on a one-cycle schedule, with flips and crops.

use crate::optim::Rule;
use crate::{
    BatchNormMode, Job, Learner, Model, Normalize, OneCycle, Result, Status, Trainable, Weights,
};
use data::{Augment, Batches, Split};
use serde::{Deserialize, Serialize};
use spec::Stream;
use spec::checked::{Count, NonNegative, Positive, UnitInterval};
use std::num::NonZeroUsize;

/// How a target is trained from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Passes over the training images.
    pub epochs: Count,
    /// Images per step.
    pub batch: Count,
    /// The update rule.
    #[serde(skip_serializing_if = "Optimizer::is_default")]
    pub optimizer: Optimizer,
    /// The highest learning rate of the one-cycle schedule.
    pub max_lr: Positive,
    /// Nesterov momentum, which Adam has no use for.
    pub momentum: UnitInterval,
    /// L2 penalty on all parameters.
    pub weight_decay: NonNegative,
    /// Use only so many training images, class-balanced; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<Count>,
    /// Random changes to the images.
    pub augment: Augment,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            epochs: Count::literal(30),
            batch: Count::literal(128),
            optimizer: Optimizer::Sgd,
            max_lr: Positive::literal(0.1),
            momentum: UnitInterval::literal(0.9),
            weight_decay: NonNegative::literal(5e-4),
            images: None,
            augment: Augment::default(),
        }
    }
}

/// An update rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    #[default]
    Sgd,
    /// Adam: gets a VGG without batch normalisation off the ground, where gradients are tiny at first.
    Adam,
}

impl Optimizer {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A training in progress.
pub struct Trainer {
    learner: Learner,
    schedule: OneCycle,
    split: Split,
    batches: Batches,
    augment: (Augment, Stream),
}

impl Trainer {
    /// Trains `weights` on `split`, or on as many of its images as are asked for; which, their order and augmentation come from
    /// `stream`.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn new(
        model: Model,
        classes: usize,
        weights: &Weights,
        normalize: Option<Normalize>,
        split: &Split,
        training: &Training,
        stream: &Stream,
    ) -> Result<Self> {
        let network = Trainable::new(model, classes, weights, normalize)?;
        let split = match training.images {
            Some(n) if n.get() < split.len() => {
                split.subset(n.get(), &mut stream.split("subset"))?
            }
            _ => split.clone(),
        };
        let momentum = training.momentum.get();
        let weight_decay = training.weight_decay.get();
        let rule = match training.optimizer {
            Optimizer::Adam => Rule::Adam { weight_decay },
            Optimizer::Sgd => Rule::Sgd {
                momentum,
                nesterov: momentum > 0.0,
                weight_decay,
            },
        };
        let size = NonZeroUsize::new(training.batch.get()).unwrap_or(NonZeroUsize::MIN);
        let batches = Batches::new(split.len(), size, &stream.split("order"));
        let total = batches.per_epoch() * training.epochs.get();
        Ok(Self {
            learner: Learner::new(network, rule, total)?.with_dropout(stream.split("dropout")),
            schedule: OneCycle::new(training.max_lr.get(), total),
            split,
            batches,
            augment: (training.augment, stream.split("augment")),
        })
    }
}

impl Job for Trainer {
    type Output = Weights;

    fn advance(&mut self) -> Result<Status> {
        if let Some(step) = self.learner.next() {
            let batch = self.batches.step(step);
            let (augment, stream) = &self.augment;
            let mut stream = stream.split(&format!("step/{step}"));
            let pixels = augment.images(&self.split, &batch, &mut stream);
            self.learner.step(
                (pixels, self.split.shape()),
                self.split.labels(&batch),
                BatchNormMode::Train,
                self.schedule.lr(step),
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
        self.learner.into_network().weights()
    }
}
