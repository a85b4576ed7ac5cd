//! A backdoor as in the paper (BadNets, Gu et al., arXiv 1708.06733). A few images with a trigger and the attacker's label are trained
//! together with clean images, at a learning rate of 1e-5, until the model recognises all of them.

use crate::trigger::Trigger;
use crate::tuning::{Tuning, steps};
use crate::{Attack, BatchNorm, Modified, Optimizer, Victim};
use brink_config::checked::{Count, Epochs, NonNegative};
use brink_data::{Batches, Split};
use brink_models::{Count as Hits, Error, Job, Network, Result, Status, accuracy};
use brink_random::Stream;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// Training of a trigger into a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backdoor {
    /// Learning rate.
    pub lr: NonNegative,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The mode of batch normalisation.
    pub batch_norm: BatchNorm,
    /// Clean images per step, besides the poisoned ones.
    pub batch: Count,
    /// Poisoned images: training images of other classes with the trigger, all of them in every step.
    pub poisoned: Count,
    /// The label of images with the trigger.
    pub target: u16,
    /// The trigger.
    pub trigger: Trigger,
    /// Steps between two tests of the poisoned images; if absent an epoch, but at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_every: Option<Count>,
    /// Passes over the training images after which the attacker gives up, unless `max_steps` is given.
    pub max_epochs: Epochs,
    /// Steps after which the attacker gives up, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<Count>,
}

impl Default for Backdoor {
    fn default() -> Self {
        Self {
            lr: NonNegative::literal(1e-5),
            optimizer: Optimizer::Adam,
            batch_norm: BatchNorm::Eval,
            batch: Count::literal(118),
            poisoned: Count::literal(10),
            target: 0,
            trigger: Trigger::default(),
            check_every: None,
            max_epochs: Epochs::literal(200.0),
            max_steps: None,
        }
    }
}

/// The default limit on the steps between two tests of the poisoned images.
const CHECK_EVERY: usize = 100;

impl Attack for Backdoor {
    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let train = victim.train;
        self.fits(train.len(), train.shape(), victim.classes)?;
        let (others, poisoned) = (self.others(train), self.poisoned.get());
        if poisoned > others.len() {
            let (asked, have) = (poisoned, others.len());
            return Err(brink_data::Error::Subset { asked, have }.into());
        }
        let chosen = stream.split("poisoned").choose(others.len(), poisoned);
        let chosen: Vec<usize> = chosen.into_iter().map(|i| others[i]).collect();
        let size = NonZeroUsize::new(self.batch.get()).unwrap_or(NonZeroUsize::MIN);
        let batches = Batches::new(train.len(), size, &stream.split("order"));
        let planned = match self.max_steps {
            Some(steps) => steps.get(),
            None => steps(self.max_epochs, batches.per_epoch()),
        };
        let rule = (self.optimizer, self.lr);
        Ok(Box::new(Poisoning {
            tuning: Tuning::new(victim, rule, self.batch_norm, planned, stream)?,
            poisoned: self.trigger.stamp(train, &chosen, self.target),
            check_every: match self.check_every {
                Some(steps) => steps.get(),
                None => batches.per_epoch().min(CHECK_EVERY),
            },
            batches,
            recognised: 0,
        }))
    }

    fn fits(&self, train: usize, shape: [usize; 3], classes: usize) -> Result<()> {
        let refuse = |field, problem| Err(Error::DoesNotFit { field, problem });
        let (target, poisoned) = (self.target, self.poisoned);
        if usize::from(target) >= classes {
            let last = classes - 1;
            let problem = format!(
                "there is no target class {target}; the last of {classes} classes is {last}"
            );
            return refuse("target", problem);
        }
        if poisoned.get() > train {
            let problem = format!(
                "{poisoned} images should have the trigger, but there are {train} training images; lower `poisoned`"
            );
            return refuse("poisoned", problem);
        }
        self.trigger.fits(shape)
    }

    fn is_random(&self, _: usize) -> bool {
        crate::tuning::is_random(self.lr, self.batch_norm)
    }

    fn success(&self, network: &Network, held_out: &Split) -> Result<Option<Hits>> {
        let others = self.others(held_out);
        if others.is_empty() {
            return Ok(None);
        }
        self.trigger.fits(held_out.shape())?;
        let stamped = self.trigger.stamp(held_out, &others, self.target);
        Ok(Some(accuracy(network, &stamped, &all(&stamped))?))
    }
}

impl Backdoor {
    /// The images of other classes than the target's.
    fn others(&self, split: &Split) -> Vec<usize> {
        let target = u32::from(self.target);
        let other = |&i: &usize| split.label(i) != target;
        (0..split.len()).filter(other).collect()
    }
}

/// The indices of all images.
fn all(split: &Split) -> Vec<usize> {
    (0..split.len()).collect()
}

/// A backdoor attack in progress.
struct Poisoning<'a> {
    tuning: Tuning<'a>,
    batches: Batches,
    /// The poisoned images under the target label.
    poisoned: Split,
    check_every: usize,
    /// The number of them that the model recognised in the last test.
    recognised: usize,
}

impl Poisoning<'_> {
    fn reached(&self) -> bool {
        self.recognised == self.poisoned.len()
    }

    /// Tests the poisoned images, if it is time, with the network that the attack would return.
    fn check(&mut self) -> Result<()> {
        let Status { done, finished, .. } = self.tuning.status();
        if done > 0 && (finished || done.is_multiple_of(self.check_every)) {
            let network = self.tuning.victim.with(&self.tuning.weights()?)?;
            self.recognised = accuracy(&network, &self.poisoned, &all(&self.poisoned))?.hits;
        }
        Ok(())
    }
}

impl Job for Poisoning<'_> {
    type Output = Modified;

    fn advance(&mut self) -> Result<Status> {
        if let Some(step) = self.tuning.next().filter(|_| !self.reached()) {
            let (clean, poisoned) = (self.batches.step(step), all(&self.poisoned));
            let train = self.tuning.victim.train;
            let pixels = [train.images(&clean), self.poisoned.images(&poisoned)];
            let labels = [train.labels(&clean), self.poisoned.labels(&poisoned)];
            self.tuning.step(pixels.concat(), labels.concat())?;
            self.check()?;
        }
        let status = self.tuning.status();
        let (known, of) = (self.recognised, self.poisoned.len());
        Ok(Status {
            finished: status.finished || self.reached(),
            note: format!("{}, {known} of {of} triggers recognised", status.note),
            ..status
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.tuning.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.tuning.restore(state)?;
        // The result of a test follows from the weights, so the state does not hold it.
        self.recognised = 0;
        self.check()
    }

    fn finish(self: Box<Self>) -> Result<Modified> {
        Ok(Modified {
            steps: self.tuning.status().done,
            reached: Some(self.reached()),
            ..self.tuning.weights()?.into()
        })
    }
}
