//! Steps that cannot be done, while the rest of a grid can.

use std::fmt;

use crate::progress::Progress;

/// What went wrong, a line for each step.
#[derive(Clone, Debug, Default, thiserror::Error)]
pub struct Failures(Vec<String>);

impl Failures {
    /// Whether everything went well.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a step came to. A computation that failed is noted and nothing comes of it: a loss that diverged, samples that could not be
    /// made, a model without labels, images or weights that are not what they should be. Whatever else goes wrong (e.g. a full
    /// disk) would go wrong with every step.
    ///
    /// # Errors
    /// That.
    pub fn tolerate<T>(
        &mut self,
        step: anyhow::Result<T>,
        progress: &Progress,
    ) -> anyhow::Result<Option<T>> {
        match step {
            Err(error) if is_of_the_step(&error) => {
                progress.warn(&format!("{error:#}; going on with what does not need it"));
                self.0.push(format!("{error:#}"));
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// Whether `error` says something about its own step only.
fn is_of_the_step(error: &anyhow::Error) -> bool {
    error.is::<models::Error>()
        || error.is::<data::Error>()
        || error.is::<verify::Error>()
        || matches!(
            error.downcast_ref::<store::Error>(),
            Some(store::Error::Unrepresentable { .. })
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
