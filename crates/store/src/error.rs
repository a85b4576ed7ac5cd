//! What can go wrong with a results folder, each with the file and the way out.

use std::path::{Path, PathBuf};

use spec::Id;

use crate::{BoxError, Holder};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the results folder. The message names the file and what to do; causes hang on `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: check that the place exists and may be written, or choose another results folder", path.display())]
    Io {
        /// What was tried, as a verb ("write").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Somebody else writes to the folder.
    #[error(
        "{} is in use by {}: wait until it has ended, or choose another results folder",
        root.display(),
        holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
    )]
    Locked {
        /// The results folder.
        root: PathBuf,
        /// Who holds it, as far as the lock file tells.
        holder: Option<Holder>,
    },
    /// A file is not what was written there.
    #[error("{} is damaged: delete it and run the grid again; only this step is repeated", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why it cannot be read.
        source: BoxError,
    },
    /// A file was written by a later version.
    #[error(
        "{} has format {found}, this version reads up to {}: update brink, or choose another results folder",
        path.display(),
        crate::FORMAT
    )]
    Future {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A record lies under another step's name.
    #[error("{} holds the record of {id}: it was copied or renamed; move it back or delete it", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The step that the record belongs to.
        id: Id,
    },
    /// There is nothing to read.
    #[error("there are no results in {}: run a grid first, or name the folder that holds them", root.display())]
    Missing {
        /// The results folder.
        root: PathBuf,
    },
    /// Something was to be written to a folder opened for reading.
    #[error("{} was opened for reading only: open it for writing first", root.display())]
    ReadOnly {
        /// The results folder.
        root: PathBuf,
    },
    /// The disk is too full for what is about to be computed.
    #[error(
        "the disk of {} has {} free, {} are needed: free some space, or choose another results folder",
        root.display(),
        Size(*free),
        Size(*need)
    )]
    Full {
        /// The results folder.
        root: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        need: u64,
    },
    /// A record holds what JSON cannot hold, another format's number, or a contradiction.
    #[error("the record for {} cannot be written: it must have format {}, finite numbers only and no contradiction", path.display(), crate::FORMAT)]
    Unrepresentable {
        /// The file that was to be written.
        path: PathBuf,
        /// What does not fit.
        source: BoxError,
    },
    /// The caller's writer of weights or samples failed.
    #[error("cannot write {}", path.display())]
    Payload {
        /// The file that was to be written.
        path: PathBuf,
        /// The writer's own error.
        source: BoxError,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, source: impl Into<BoxError>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Bytes for people.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = self.0 as f64 / f64::from(1 << 20);
        if mib < 1024.0 {
            write!(f, "{mib:.0} MiB")
        } else {
            write!(f, "{:.1} GiB", mib / 1024.0)
        }
    }
}
