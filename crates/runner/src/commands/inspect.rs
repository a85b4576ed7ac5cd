//! `inspect`: what a weight file holds, and the networks that it fits.

use std::path::Path;

use crate::exit::Refuse;
use crate::say::say;

/// Prints it.
///
/// # Errors
/// If the file cannot be read.
pub fn print(file: &Path) -> anyhow::Result<()> {
    let inspection = brink_models::inspect(file).or_refuse()?;
    say!("{}", inspection);
    Ok(())
}
