//! Measurements of a target itself, one file each: the time of generators, the dispersion of logits, the course of stage 1. Like a
//! generator, a probe starts a [`Job`].

mod in_turn;

pub use brink_verify::Measured;
pub use timing::{TimedGenerator, timed_generators};

use crate::Context;
use brink_models::{Job, Need, Result};

/// Measures something about a target.
pub trait Probe {
    /// Starts the work.
    ///
    /// # Errors
    /// If the settings do not fit the target.
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>>;

    /// What it needs of its target.
    fn needs(&self) -> Need {
        Need {
            fix: "leave it out",
            ..Need::GRADIENTS
        }
    }
}

brink_config::registry! {
    Probe as probe;
    "timing" timing::Timing, "Wall time", "wall time of stage 1 for DBI, AID (as released and attached) and Ours (the paper's Table V)";
    "dispersion" dispersion::Dispersion, "Dispersion of logits", "mean and deviation of a sample's logits, and of the keyed head's outputs, after iterations of stage 1";
    "convergence" convergence::Convergence, "Convergence of stage 1", "margin and sum of |outputs| against the iterations of stage 1";
}
