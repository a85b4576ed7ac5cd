//! What the steps to do will need, by what recorded ones needed.

use std::fmt;

use brink_store::Store;
use serde_json::{Value, json};

use crate::forecast::{self, Forecast, Left, Rates};
use crate::plan::{self, Plan};
use crate::session::Session;

/// Time and memory of the steps to do.
pub struct Estimate {
    steps: usize,
    left: Left,
    /// The peak memory of an earlier run of the grid at this scale, in bytes.
    memory: Option<u64>,
}

impl Estimate {
    /// The estimate for the steps of `part` whose images and weights are here.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn of(session: &Session, part: &Plan, store: Option<&Store>) -> anyhow::Result<Self> {
        let mut open = Vec::new();
        for target in &part.targets {
            if plan::missing_input(target, &session.paths, store).is_none() {
                open.extend(forecast::open(target, store)?);
            }
        }
        let rates = store.map(Rates::read).transpose()?.unwrap_or_default();
        let forecast = Forecast::new(rates, open);
        Ok(Self {
            steps: forecast.steps(),
            left: forecast.left(),
            memory: session.recorded_memory(),
        })
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "steps": self.steps,
            "seconds": self.left.seconds,
            "at_most": self.left.at_most,
            "steps_of_unknown_time": self.left.unknown,
            "peak_memory_bytes": self.memory,
        })
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = &self.left;
        if self.steps == 0 {
            return f.write_str("estimate: nothing is to do here");
        }
        write!(f, "estimate: {} steps to do; {left}", self.steps)?;
        match left.unknown {
            0 => f.write_str(" by recorded steps")?,
            _ => f.write_str(", because none like them is recorded in the results folder")?,
        }
        match self.memory {
            Some(bytes) => write!(f, "; {:.1} GB of memory, as before", bytes as f64 / 1e9),
            None => f.write_str("; memory unknown, because no run of this grid is recorded there"),
        }
    }
}
