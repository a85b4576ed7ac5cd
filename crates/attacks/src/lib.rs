//! Model modifications, one file each.
//!
//! An attack starts a [`Job`] on a victim's weights; the job ends with the modified model. This crate does not know the
//! verifier: an attacker's code cannot name a secret key or a sensitive set. Leaked samples are plain images to it. To add one, write a file with a type that
//! implements [`Attack`] and add its line to the registry below.

mod change;
mod hold;
mod layers;
mod trigger;
mod tuning;

pub use change::measure_change;
pub use execution::{Arithmetic, Transport};
pub use hold::Hold;
pub use nudge::{Layer, Part};
pub use prune::{Criterion, Scope};
pub use quantize::{Granularity, Scheme, What};
pub use trigger::{Pattern, Place, Trigger};
pub use tuning::{BatchNorm, Optimizer};

use brink_config::checked::Fraction;
use brink_data::Split;
use brink_models::{Activations, Job, Model, Need, Network, Normalize, Result, Weights};
use brink_random::Stream;

/// The attacker's model, and the data to modify it with.
#[derive(Clone, Copy)]
pub struct Victim<'a> {
    /// Its architecture.
    pub model: Model,
    /// Its number of classes.
    pub classes: usize,
    /// Its weights.
    pub weights: &'a Weights,
    /// Its input normalisation.
    pub normalize: Option<Normalize>,
    /// The images it was trained on.
    pub train: &'a Split,
    /// The owner's samples that leaked: pixels in `[0, 1]` of images `(n, c, h, w)` of the shape of `train`. Mostly none.
    pub leaked: &'a [f32],
}

impl Victim<'_> {
    /// The victim's network with other weights.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn with(&self, weights: &Weights) -> Result<Network> {
        Network::frozen(self.model, self.classes, weights, self.normalize)
    }
}

/// A modified model.
#[derive(Clone, Debug)]
pub struct Modified {
    /// Its weights.
    pub weights: Weights,
    /// The levels of its activations, if the attack rounds them.
    pub activations: Option<Activations>,
    /// Optimiser steps taken.
    pub steps: usize,
    /// Whether the attacker's goal was reached; `None` if the attack has no goal.
    pub reached: Option<bool>,
    /// How the same weights are executed otherwise; `None` for everything that is not benign.
    pub execution: Option<Execution>,
}

impl Modified {
    /// The modified network of `victim`, with the arithmetic of its execution.
    ///
    /// # Errors
    /// If the weights do not fit the victim's model.
    pub fn network(&self, victim: &Victim<'_>) -> Result<Network> {
        if let Some(execution) = &self.execution {
            return execution.arithmetic.network(victim);
        }
        let network = victim.with(&self.weights)?;
        Ok(match &self.activations {
            Some(activations) => network.with_activations(activations.clone()),
            None => network,
        })
    }
}

impl From<Weights> for Modified {
    /// Other weights, without a step and without a goal.
    fn from(weights: Weights) -> Self {
        Self {
            weights,
            activations: None,
            steps: 0,
            reached: None,
            execution: None,
        }
    }
}

/// Modifies a model.
pub trait Attack {
    /// Starts the work; all randomness comes from `stream`.
    ///
    /// # Errors
    /// If the settings do not fit the victim.
    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>>;

    /// Checks, before there is a model, that the settings fit about `train` training images of `shape`, `(c, h, w)`, and `classes` classes.
    ///
    /// # Errors
    /// If they do not fit.
    fn fits(&self, _train: usize, _shape: [usize; 3], _classes: usize) -> Result<()> {
        Ok(())
    }

    /// What it needs of the victim. Whoever only changes the weights says [`Need::ANSWERS`], and then attacks any model.
    fn needs(&self) -> Need {
        Need::TRAINING
    }

    /// The share of each set's pairs that the attacker knows, as [`Victim::leaked`]; `None` for attackers who know none. Runs count the
    /// pairs that did not leak.
    fn leaks(&self) -> Option<Fraction> {
        None
    }

    /// Whether the result depends on the stream, for about `train` training images.
    ///
    /// A grid runs a deterministic attack once, whatever its `attack_seeds`. If a deterministic attack returns `true`, the same answers
    /// count several times.
    fn is_random(&self, _train: usize) -> bool {
        true
    }

    /// Whether its runs record how far each margin moves. Reports then tell how differently samples react.
    fn compares_samples(&self) -> bool {
        false
    }

    /// How often the modified `network` does what the attacker wants on unseen images, e.g. gives the attacker's label to images with a
    /// trigger; `None` if the attack has no goal.
    ///
    /// # Errors
    /// If the images do not fit the network.
    fn success(
        &self,
        _network: &Network,
        _held_out: &Split,
    ) -> Result<Option<brink_models::Count>> {
        Ok(None)
    }
}

brink_config::registry! {
    Attack as attack;
    "identity" identity::Identity, "Identity", "does not change the model; a detection is a false alarm";
    "finetune" finetune::Finetune, "Fine-tuning", "trains further at a small learning rate; rate 0 is the control";
    "backdoor" backdoor::Backdoor, "Backdoor", "trains a few images with a trigger together with clean ones until all have the attacker's label";
    "prune" prune::Prune, "Pruning", "sets single weights of convolutions and linear layers to 0, the smallest magnitudes first";
    "quantize" quantize::Quantize, "Quantisation", "rounds weights, and optionally activations, to the few levels of small integers";
    "nudge" nudge::Nudge, "Local change", "changes one weight, filter, bias or layer, or all weights, by a share of their size or by one unit in the last place";
    "execution" execution::Execution, "Another execution", "the same weights in another arithmetic, transport or engine; a detection is a false alarm";
}
