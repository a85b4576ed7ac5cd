//! Failed steps, which do not stop the rest of a grid.

use std::fmt;

use crate::progress::Progress;

/// The failures of a run, one line per step.
#[derive(Clone, Debug, Default, thiserror::Error)]
pub struct Failures(Vec<String>);

impl Failures {
    /// The failures that other processes told, one line each.
    pub fn of(lines: Vec<String>) -> Self {
        Self(lines)
    }

    /// Adds those of another task.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether no step failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The result of a step, or `None` if the step itself failed. Such a failure is noted: a diverged loss, samples that
    /// could not be made, a model without labels, or wrong images or weights.
    ///
    /// # Errors
    /// Any other error, e.g. a full disk, because it would fail every step.
    pub fn tolerate<T>(
        &mut self,
        step: anyhow::Result<T>,
        progress: &Progress,
    ) -> anyhow::Result<Option<T>> {
        match step {
            Err(error) if is_of_the_step(&error) => {
                progress.warn(&format!(
                    "{error:#}; continuing with the steps that do not need it"
                ));
                self.0.push(format!("{error:#}"));
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// Whether `error` concerns only its own step.
fn is_of_the_step(error: &anyhow::Error) -> bool {
    error.is::<brink_models::Error>()
        || error.is::<brink_data::Error>()
        || error.is::<brink_verify::Error>()
        || matches!(
            error.downcast_ref::<brink_store::Error>(),
            Some(brink_store::Error::Unrepresentable { .. })
        )
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => f.write_str(one),
            all => {
                write!(f, "{} steps failed", all.len())?;
                all.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}
