//! What can go wrong with a deployed model.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be used.
    #[error("{field}: {problem}")]
    Setting {
        /// The setting, as a user writes it.
        field: &'static str,
        /// What is wrong, and what to do. It holds no secret.
        problem: String,
    },
    /// A file that cannot be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Images that cannot be sent.
    #[error("the images cannot be sent: {0}")]
    Images(String),
    /// Nobody answers.
    #[error("{place} cannot be reached: {problem}")]
    Unreachable {
        /// The model.
        place: String,
        /// Why.
        problem: String,
    },
    /// The server refuses.
    #[error("{place} answers with status {status}{begins}")]
    Status {
        /// The model.
        place: String,
        /// The HTTP status.
        status: u16,
        /// A phrase with the begin of the answer, or nothing.
        begins: String,
    },
    /// The model is elsewhere.
    #[error(
        "{place} redirects to `{to}`, and redirects are not followed; give the final address if you trust it"
    )]
    Redirect {
        /// The model.
        place: String,
        /// Where it points.
        to: String,
    },
    /// An answer that says nothing about the images.
    #[error("{place} does not answer as expected: {problem}")]
    Answer {
        /// The model.
        place: String,
        /// What was found instead.
        problem: String,
    },
}

impl Error {
    /// Whether the user must correct something before the model can be asked.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Setting { .. } | Self::File { .. } | Self::Images(_)
        )
    }
}
