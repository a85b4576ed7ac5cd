//! How a file holds its tensors.

use std::fmt;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A zip archive, as PyTorch has written since 1.6.
    Archive,
    /// Pickles followed by storages, as PyTorch wrote before 1.6.
    Legacy,
    /// A tar archive, as PyTorch wrote in 2016.
    Tar,
    /// safetensors.
    Safetensors,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Archive => "zip archive of PyTorch 1.6 or newer",
            Self::Legacy => "pickles of PyTorch before 1.6",
            Self::Tar => "tar archive of PyTorch from 2016",
            Self::Safetensors => "safetensors",
        })
    }
}

/// What was around the tensors in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The format of the file.
    pub container: Container,
    /// The keys that lead to the state dict, joined by dots, such as `net`; empty if it is the saved object itself.
    pub within: String,
    /// The prefix that was removed from all names, such as `module.`; empty if there was none.
    pub prefix: String,
    /// The number of counters `num_batches_tracked`, which were left out.
    pub counters: usize,
}
