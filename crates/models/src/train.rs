//! Training from scratch: SGD with Nesterov momentum (or Adam) and weight decay on a one-cycle schedule, with flips and crops.

use crate::error::Result;
use crate::job::{Job, Status};
use crate::learner::Learner;
use crate::normalize::Normalize;
use crate::optim::Rule;
use crate::pass::BatchNormMode;
use crate::registry::Model;
use crate::schedule::OneCycle;
use crate::trainable::Trainable;
use crate::weights::Weights;
use brink_config::checked::{Count, Minority, NonNegative, Positive, UnitInterval};
use brink_data::{Augment, Batches, Split};
use brink_random::Stream;
use serde::{Deserialize, Serialize};
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
    #[serde(skip_serializing_if = "Update::is_default")]
    pub optimizer: Update,
    /// The highest learning rate of the one-cycle schedule.
    pub max_lr: Positive,
    /// Nesterov momentum. Adam does not use it.
    pub momentum: UnitInterval,
    /// L2 penalty on all parameters.
    pub weight_decay: NonNegative,
    /// The share of the training images of every class to hold out (whole tracks if images are frames of tracks). Accuracy is also
    /// measured on them, to choose settings without the test images. If absent, no image is held out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Minority>,
    /// The number of images to train on, class-balanced. If absent, all images that are not held out.
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
            optimizer: Update::Sgd,
            max_lr: Positive::literal(0.1),
            momentum: UnitInterval::literal(0.9),
            weight_decay: NonNegative::literal(5e-4),
            validation: None,
            images: None,
            augment: Augment::default(),
        }
    }
}

impl Training {
    /// Chooses, with `stream`, the images to train on and the images to hold out. `None` means all of them, or none.
    ///
    /// # Errors
    /// If too few images are left, or if a class of `all` has no image to train on, or no image in a requested validation part.
    pub fn choose(
        &self,
        all: &Split,
        stream: &Stream,
    ) -> std::result::Result<(Option<Split>, Option<Split>), brink_data::Error> {
        let (rest, held) = self
            .validation
            .map(|share| all.hold_out(share, &mut stream.split("validation")))
            .unzip();
        let left = rest.as_ref().unwrap_or(all);
        if let Some((share, held)) = self.validation.zip(held.as_ref()) {
            let share = share.get();
            for (what, part) in [("train on", left), ("validate with", held)] {
                let has = part.classes();
                if let Some(&class) = all.classes().difference(&has).next() {
                    return Err(brink_data::Error::HoldOut { share, class, what });
                }
            }
        }
        let fewer = self.images.filter(|images| images.get() != left.len());
        let fewer = fewer.map(|images| left.subset(images.get(), &mut stream.split("subset")));
        Ok((fewer.transpose()?.or(rest), held))
    }

    /// The approximate number of images to train on out of `all`, before the images are read. [`Training::choose`] differs from it by
    /// the effect of whole tracks and of rounding per class.
    pub fn count(&self, all: usize) -> usize {
        let share = self.validation.map_or(0.0, Minority::get);
        let left = all - (share * all as f64).round() as usize;
        self.images.map_or(left, |images| images.get().min(left))
    }
}

/// An update rule. Its constants are fields of [`Training`]; a [`Rule`] has both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// Stochastic gradient descent.
    #[default]
    Sgd,
    /// Adam: it can train a VGG without batch normalisation, whose first gradients are tiny.
    Adam,
}

impl Update {
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
    /// Trains `weights` on all of `split`, the choice of [`Training::choose`]. `stream` gives the order and the augmentation.
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
        let momentum = training.momentum.get();
        let weight_decay = training.weight_decay.get();
        let rule = match training.optimizer {
            Update::Adam => Rule::Adam { weight_decay },
            Update::Sgd => Rule::Sgd {
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
            split: split.clone(),
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
        self.learner.into_network()?.weights()
    }
}
