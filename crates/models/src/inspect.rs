//! What a weight file holds, in a few lines of text.

use crate::error::Result;
use crate::fit::{self, Comparison};
use crate::registry::Model;
use crate::weights::{self, Weights, is_buffer};
use brink_checkpoint::Checkpoint;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// What a weight file holds. As text, it is one line about each thing, and then one line for each tensor.
pub struct Inspection {
    file: Checkpoint,
    /// The SHA-256 of names and values.
    sha256: String,
    /// The networks that the weights fit; otherwise the nearest one.
    networks: Vec<Comparison>,
}

/// Reads a weight file and compares it with every network.
///
/// # Errors
/// Those of [`Weights::read`].
pub fn inspect(path: &Path) -> Result<Inspection> {
    let file = weights::open(path)?;
    let weights = Weights::of_file(path, &file)?;
    let mut networks = fit::compared(weights.tensors(), Model::all())?;
    match networks.iter().any(Comparison::fits) {
        true => networks.retain(Comparison::fits),
        false => networks.truncate(1),
    }
    Ok(Inspection {
        sha256: file.sha256(),
        file,
        networks,
    })
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint {
            tensors,
            claim,
            origin,
        } = &self.file;
        writeln!(f, "container: {}", origin.container)?;
        if !origin.within.is_empty() {
            writeln!(f, "state dict: under `{}`", origin.within)?;
        }
        if !origin.prefix.is_empty() {
            writeln!(f, "prefix of all names, left out: `{}`", origin.prefix)?;
        }
        let parameters = tensors.iter().filter(|(name, _)| !is_buffer(name));
        let parameters: usize = parameters.map(|(_, tensor)| tensor.values.len()).sum();
        let types: BTreeSet<&str> = tensors.values().map(|tensor| tensor.dtype).collect();
        let types = Vec::from_iter(types).join(", ");
        writeln!(
            f,
            "{} tensors, {parameters} parameters, {types}",
            tensors.len()
        )?;
        if origin.counters > 0 {
            writeln!(f, "counters of batches, left out: {}", origin.counters)?;
        }
        if let Some(claim) = claim {
            let (percent, name) = (claim.percent, &claim.name);
            writeln!(f, "claimed accuracy: {percent:.2} % (`{name}`)")?;
        }
        for network in &self.networks {
            writeln!(f, "{network}")?;
        }
        write!(f, "sha256 of names and values: {}", self.sha256)?;
        for (name, tensor) in tensors {
            write!(f, "\n  {name}  {:?}  {}", tensor.shape, tensor.dtype)?;
        }
        Ok(())
    }
}
