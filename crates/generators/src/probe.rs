//! What can be measured about a target itself, one file each: how long generators take on it, how its logits differ, how stage 1
//! goes. A probe starts a [`Job`] as a generator does.

mod in_turn;

pub use convergence::Look;
pub use dispersion::Outputs;
pub use timing::{Contestant, Seconds, contestants};

use crate::Context;
use models::{Job, Result};

/// What a probe measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Of [`Timing`].
    Timing(Vec<Seconds>),
    /// Of [`Dispersion`].
    Dispersion(Vec<Outputs>),
    /// Of [`Convergence`].
    Convergence(Vec<Look>),
}

/// Measures something about a target.
pub trait Probe {
    /// Starts the work.
    ///
    /// # Errors
    /// If the settings do not fit the target.
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>>;
}

spec::registry! {
    Probe as probe;
    "timing" timing::Timing, "wall time of stage 1 for DBI, AID (as released and attached) and Ours (the paper's Table V)";
    "dispersion" dispersion::Dispersion, "mean and deviation of a sample's logits, and of the keyed head's outputs, after rounds of boundary approach";
    "convergence" convergence::Convergence, "margin and sum of |outputs| against the iterations of stage 1";
}
