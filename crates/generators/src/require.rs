//! Checks of the number of images, before there is a target.

use brink_models::{Error, Result};

/// Checks that `available` images of a kind are enough for the `requested` ones.
///
/// # Errors
/// If they are too few.
pub(crate) fn require_images(requested: usize, available: usize, kind: &str) -> Result<()> {
    if requested <= available {
        return Ok(());
    }
    Err(Error::DoesNotFit {
        field: "samples",
        problem: format!(
            "{requested} images requested, but there are {available} {kind} images; lower `samples`"
        ),
    })
}

/// Checks that single samples can be paired at random, as the protocol does.
///
/// # Errors
/// If there are fewer than two samples.
pub fn require_pairs(samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    Err(Error::DoesNotFit {
        field: "samples",
        problem: "a single sample cannot form a pair; raise `samples` to 2".to_owned(),
    })
}
