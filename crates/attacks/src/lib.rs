//! Model modifications, one file each.
//!
//! An attack starts a [`Job`] on a victim's weights; the job ends with the modified weights. This crate does not know the
//! verifier: an attacker's code cannot name a secret key or a sensitive set. To add one, write a file with a type that
//! implements [`Attack`] and add its line to the registry below.

mod change;
mod finetune;

pub use change::Change;
pub use finetune::{BatchNorm, Finetune, Optimizer};

use data::Split;
use models::{Job, Model, Normalize, Result, Weights};
use spec::Stream;

/// What an attacker has: the model and data to modify it with.
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
    ) -> Result<Box<dyn Job<Output = Weights> + 'a>>;
}

spec::registry! {
    Attack as attack;
    "finetune" Finetune, "Fine-tuning", "goes on training at a small learning rate; rate 0 is the control";
}
