//! What can go wrong.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use brink_endpoint::Error as Endpoint;
use brink_verify::Error as Protocol;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting or the images must be corrected. The text names them, and says how.
    #[error("{0}")]
    Correct(String),
    /// A file cannot be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The model cannot be asked.
    #[error(transparent)]
    Endpoint(#[from] Endpoint),
    /// The answers cannot be used.
    #[error(transparent)]
    Protocol(#[from] Protocol),
    /// The pairs cannot be made.
    #[error(transparent)]
    Pairs(#[from] brink_models::Error),
    /// The promised risks cannot be kept.
    #[error(transparent)]
    Risk(#[from] brink_verify::RiskError),
    /// The mark cannot be written.
    #[error(transparent)]
    Mark(#[from] brink_mark::Error),
}

impl Error {
    pub(crate) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// Whether the model did not answer, or not as a model does.
    pub fn is_no_answer(&self) -> bool {
        let (mut cause, mut causes) = (Some(self as &dyn std::error::Error), Vec::new());
        while let Some(found) = cause {
            causes.push(found);
            cause = found.source();
        }
        // A transparent variant shows the source of what it holds, and not what it holds.
        let held: Option<&dyn std::error::Error> = match self {
            Self::Endpoint(error) => Some(error),
            Self::Protocol(error) => Some(error),
            _ => None,
        };
        causes.extend(held);
        causes.into_iter().any(|cause| {
            let endpoint = cause.downcast_ref::<Endpoint>();
            let protocol = cause.downcast_ref::<Protocol>();
            endpoint.is_some_and(|it| !it.is_input())
                || protocol.is_some_and(Protocol::is_an_answer)
        })
    }

    /// This error and its causes in one line.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(found) = cause {
            text = format!("{text}: {found}");
            cause = found.source();
        }
        text
    }
}
