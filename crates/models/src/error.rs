//! What can go wrong with a model.

use std::path::PathBuf;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The GPU failed.
    #[error(transparent)]
    Gpu(#[from] brink_cuda::Error),
    /// A weight file cannot be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Weights do not fit the architecture.
    #[error("the weights do not fit {model} with {classes} classes: {problem}")]
    Weights {
        /// The architecture.
        model: &'static str,
        /// Its number of classes.
        classes: usize,
        /// The first differences, and the nearest network.
        problem: String,
    },
    /// A loss or a gradient is not finite.
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
    /// An output of a network is not finite.
    #[error(
        "{what} is {value}: the network's weights are not finite or too large; train it at a lower learning rate, or use other weights"
    )]
    NotFinite {
        /// Which quantity.
        what: String,
        /// Its value.
        value: f32,
    },
    /// Batch normalisation of a single value per channel. It has no variance, so it would damage the running variance.
    #[error(
        "batch normalisation cannot be trained on a batch of one image with 1x1 maps; choose a `batch` that leaves no single image over"
    )]
    SingleValue,
    /// A sample set, a keyed head, an attacked model or a trigger cannot be created as requested, or is unusable.
    ///
    /// The text says what is wrong and, if possible, what to do. It does not name the generator or attack, because the
    /// name of the step does.
    #[error("{0}")]
    CannotCreate(String),
    /// The model that a generator asks does not answer.
    #[error("the questions for the samples were not answered")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A setting of a generator or an attack does not fit the data set.
    #[error("{problem}")]
    DoesNotFit {
        /// The path of the field, e.g. `trigger.size`.
        field: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A saved state belongs to another job.
    #[error("the saved state does not fit: {0}; delete it to start this step again")]
    State(String),
    /// Data cannot be used.
    #[error(transparent)]
    Data(#[from] brink_data::Error),
}
