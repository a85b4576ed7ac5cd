//! What can go wrong with a model.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A weight file cannot be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Weights do not belong to the architecture.
    #[error("the weights do not fit {model} with {classes} classes: {problem}")]
    Weights {
        /// The architecture.
        model: &'static str,
        /// Its number of classes.
        classes: usize,
        /// The first difference found.
        problem: String,
    },
    /// A loss or a gradient is no longer a number.
    #[error(
        "{what} is {value} at iteration {iteration}: the computation diverged; lower the learning rate"
    )]
    Diverged {
        /// Which quantity.
        what: String,
        /// Its value.
        value: f32,
        /// The iteration, counted from 1.
        iteration: usize,
    },
    /// A network answers with what is no finite number.
    #[error(
        "{what} is {value}: the network's weights are not finite, or too large; train it at a lower learning rate, or give it other weights"
    )]
    NotFinite {
        /// Which quantity.
        what: String,
        /// Its value.
        value: f32,
    },
    /// Batch normalisation of a single value a channel: it has no variance, and would take that of the running statistics away.
    #[error(
        "batch normalisation cannot be trained on a batch of one image whose maps are 1x1; choose a `batch` that leaves no single image over"
    )]
    SingleValue,
    /// Something cannot be made as it was asked for, or came out unusable: a sample set, a keyed head, an attacked model, a backdoor or its
    /// trigger.
    #[error("{what}: {problem}")]
    Unmade {
        /// What cannot be made, or was to make it.
        what: &'static str,
        /// What is wrong and, where there is something, what to do.
        problem: String,
    },
    /// A saved state is not of this job.
    #[error("the saved state does not fit: {0}; delete it to start this step again")]
    State(String),
    /// Data could not be used.
    #[error(transparent)]
    Data(#[from] data::Error),
}
