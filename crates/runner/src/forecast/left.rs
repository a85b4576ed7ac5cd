//! Time that is left, in words.

use std::fmt;

use super::Job;
use crate::terminal::duration;

/// The time of some jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Left {
    /// The seconds of those whose time is known.
    pub seconds: f64,
    /// Whether some of them may end early.
    pub at_most: bool,
    /// The steps whose time is not known.
    pub unknown: usize,
    /// The steps whose time is known.
    known: usize,
}

impl Left {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.known == 0 && self.unknown > 0
    }

    /// Adds a job.
    pub fn add(&mut self, job: &Job, seconds: Option<f64>) {
        match seconds {
            Some(seconds) => {
                self.seconds += seconds;
                self.at_most |= job.may_end_early;
                self.known += job.steps;
            }
            None => self.unknown += job.steps,
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.known > 0 {
            let bound = if self.at_most { "at most " } else { "" };
            write!(f, "{bound}{}", duration(self.seconds))?;
        }
        match (self.known, self.unknown) {
            (0, 0) => f.write_str("0 s"),
            (_, 0) => Ok(()),
            (0, 1) => f.write_str("an unknown time for 1 step"),
            (0, steps) => write!(f, "an unknown time for {steps} steps"),
            (_, steps) => write!(f, " and {steps} more steps"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(steps: usize, may_end_early: bool) -> Job {
        Job {
            name: String::new(),
            steps,
            kind: String::new(),
            amount: 1.0,
            may_end_early,
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut left = Left::default();
        assert_eq!(left.to_string(), "0 s");
        left.add(&job(3, false), None);
        assert_eq!(left.to_string(), "an unknown time for 3 steps");
        left.add(&job(1, false), Some(50.0));
        assert_eq!(left.to_string(), "50 s and 3 more steps");
        left.add(&job(1, true), Some(250.0));
        assert_eq!(left.to_string(), "at most 5 min and 3 more steps");
    }
}
