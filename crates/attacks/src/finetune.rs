//! Fine-tuning at learning rates down to 1e-10 (the paper's Table III).
//!
//! The paper names neither the optimiser nor the batch-normalisation mode. The default is the likeliest reading: Adam, which moves every
//! weight by about the learning rate, with fixed running statistics. With plain SGD, f32 loses an update of 1e-12 for nearly every weight.
//! With updated statistics, sensitive samples detect even a learning rate of 0.

use crate::hold::{Hold, Holding};
use crate::tuning::{Tuning, steps};
use crate::{Attack, BatchNorm, Modified, Optimizer, Victim};
use brink_config::checked::{Count, Epochs, Fraction, NonNegative};
use brink_data::Batches;
use brink_models::state::State;
use brink_models::{Error, Job, Result, Status};
use brink_random::Stream;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// Fine-tuning on the training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Finetune {
    /// Learning rate; 0 is the control: everything runs and no weight changes.
    pub lr: NonNegative,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The mode of batch normalisation.
    pub batch_norm: BatchNorm,
    /// Images per step.
    pub batch: Count,
    /// Passes over the training images, unless `steps` is given.
    pub epochs: Epochs,
    /// Steps, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Count>,
    /// Whether a part of the samples leaked, so that the attacker gives the model its old outputs on them again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

impl Default for Finetune {
    fn default() -> Self {
        Self {
            lr: NonNegative::literal(1e-5),
            optimizer: Optimizer::Adam,
            batch_norm: BatchNorm::Eval,
            batch: Count::literal(128),
            epochs: Epochs::literal(1.0),
            steps: None,
            hold: None,
        }
    }
}

impl Attack for Finetune {
    fn is_random(&self, _: usize) -> bool {
        crate::tuning::is_random(self.lr, self.batch_norm)
    }

    fn leaks(&self) -> Option<Fraction> {
        self.hold.map(|hold| hold.share)
    }

    fn fits(&self, _: usize, _: [usize; 3], _: usize) -> Result<()> {
        if self.hold.is_none() || self.batch_norm != BatchNorm::TrainRestore {
            return Ok(());
        }
        Err(Error::DoesNotFit {
            field: "batch_norm",
            problem: "outputs cannot be held if statistics are restored afterwards; write `eval` or `train`, or leave `hold` out".to_owned(),
        })
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let size = NonZeroUsize::new(self.batch.get()).unwrap_or(NonZeroUsize::MIN);
        let batches = Batches::new(victim.train.len(), size, &stream.split("order"));
        let planned = match self.steps {
            Some(steps) => steps.get(),
            None => steps(self.epochs, batches.per_epoch()),
        };
        let rule = (self.optimizer, self.lr);
        let tuning = Tuning::new(victim, rule, self.batch_norm, planned, stream)?;
        let hold = self.hold;
        let hold = hold.map(|hold| Holding::new(hold, &victim, tuning.network()?));
        Ok(Box::new(Finetuning {
            tuning,
            batches,
            hold: hold.transpose()?,
        }))
    }
}

/// A fine-tuning in progress.
struct Finetuning<'a> {
    tuning: Tuning<'a>,
    batches: Batches,
    /// What follows the last step of the tuning, if samples leaked.
    hold: Option<Holding>,
}

impl Finetuning<'_> {
    fn status(&self) -> Status {
        let tuned = self.tuning.status();
        match &self.hold {
            Some(hold) => hold.status(tuned),
            None => tuned,
        }
    }
}

impl Job for Finetuning<'_> {
    type Output = Modified;

    fn advance(&mut self) -> Result<Status> {
        if let Some(step) = self.tuning.next() {
            let batch = self.batches.step(step);
            let train = self.tuning.victim.train;
            self.tuning
                .step(train.images(&batch), train.labels(&batch))?;
        } else if let Some(hold) = &mut self.hold {
            hold.step(self.tuning.network_to_change()?)?;
        }
        Ok(self.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let state = self.tuning.save()?;
        match &self.hold {
            Some(hold) => hold.save(State::from_bytes(&state)?)?.to_bytes(),
            None => Ok(state),
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        if let Some(hold) = &mut self.hold {
            hold.restore(&State::from_bytes(state)?)?;
        }
        self.tuning.restore(state)
    }

    fn finish(self: Box<Self>) -> Result<Modified> {
        Ok(Modified {
            steps: self.status().done,
            ..self.tuning.weights()?.into()
        })
    }
}
