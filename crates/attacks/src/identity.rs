//! No modification: a detection is a false alarm.

use crate::{Attack, Modified, Victim};
use brink_models::{Job, Need, Result, once};
use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// The unmodified model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {}

impl Attack for Identity {
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        _: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        Ok(once(|| Ok(victim.weights.clone().into())))
    }

    fn is_random(&self, _: usize) -> bool {
        false
    }
}
