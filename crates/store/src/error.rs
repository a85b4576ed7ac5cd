//! Errors of a results folder. Every message names the file and the fix.

use std::io;
use std::path::{Path, PathBuf};

use crate::Id;

use crate::{BoxError, Holder};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a results folder. The message names the file and the fix; `source` has the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed.
    #[error("cannot {action} {}: check that the place exists and may be written, or choose another results folder", path.display())]
    Io {
        /// The operation, as a verb ("write").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process or handle is writing to the folder.
    #[error(
        "{} is in use by {}: wait until it has ended, or choose another results folder",
        root.display(),
        holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
    )]
    Locked {
        /// The results folder.
        root: PathBuf,
        /// The holder, if the lock file names one.
        holder: Option<Holder>,
    },
    /// The file system has no locks, as some network file systems.
    #[error(
        "{}: the folder cannot be locked ({source}), so nothing keeps another writer out: use `runner work`, which needs no lock",
        root.display()
    )]
    NoLocks {
        /// The results folder.
        root: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Workers on other hosts are writing to the folder.
    #[error(
        "{} is in use by {workers} worker{} (one is {holder}): wait until they have ended, or join them by `runner work`",
        root.display(),
        if *workers == 1 { "" } else { "s" }
    )]
    Shared {
        /// The results folder.
        root: PathBuf,
        /// The number of workers.
        workers: usize,
        /// One of them.
        holder: Holder,
    },
    /// A worker was started for another results folder than the one that its host has at this path.
    #[error(
        "{} on this host is the folder {found}, not {expected}: the path is not shared between hosts; name a folder that all of them see",
        root.display()
    )]
    NotThere {
        /// The results folder.
        root: PathBuf,
        /// The name of the folder that was meant.
        expected: String,
        /// The name of the folder that is there.
        found: String,
    },
    /// A worker belongs to another results folder: its files were copied here.
    #[error(
        "{} holds the card of {holder}, who works in another folder: the hosts copy this folder instead of sharing it; name a folder that all of them see",
        root.display()
    )]
    Elsewhere {
        /// The results folder.
        root: PathBuf,
        /// The other worker.
        holder: Holder,
    },
    /// Two workers do not have in common what all must have.
    #[error(
        "{} is in use by {holder} with {what} {theirs}, but this command has {what} {mine}: use the same, or wait until the other has ended",
        root.display()
    )]
    Disagree {
        /// The results folder.
        root: PathBuf,
        /// The other worker.
        holder: Box<Holder>,
        /// What differs.
        what: String,
        /// Its value for the other worker.
        theirs: String,
        /// Its value for this worker.
        mine: String,
    },
    /// Another worker has taken over the step, or has finished it. This worker's result is thrown away.
    #[error("another worker has taken over step {step}, because this one did not answer in time")]
    Lost {
        /// The step.
        step: Id,
    },
    /// A worker writes without a claim.
    #[error("{} is shared by workers: claim a step before writing", root.display())]
    Unclaimed {
        /// The results folder.
        root: PathBuf,
    },
    /// A file is damaged, or was changed.
    #[error("{} is damaged: delete it and run the grid again; only this step is repeated", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why it cannot be read.
        source: BoxError,
    },
    /// A file was written by a newer version.
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
    /// A record lies at the path of another step.
    #[error("{} holds the record of {id}: it was copied or renamed; move it back or delete it", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The step that the record belongs to.
        id: Id,
    },
    /// There is no results folder at this path.
    #[error("there are no results in {}: run a grid first, or name the folder that holds them", root.display())]
    Missing {
        /// The results folder.
        root: PathBuf,
    },
    /// A write to a folder that was opened for reading only.
    #[error("{} was opened for reading only: open it for writing first", root.display())]
    ReadOnly {
        /// The results folder.
        root: PathBuf,
    },
    /// The disk has too little free space for the computation.
    #[error(
        "the disk of {} has {} free, {} are needed: free some space, or choose another results folder",
        root.display(),
        Size(*free),
        Size(*need)
    )]
    Full {
        /// The results folder.
        root: PathBuf,
        /// Free bytes.
        free: u64,
        /// Needed bytes.
        need: u64,
    },
    /// A record has a number that JSON cannot represent, the wrong format, or a contradiction.
    #[error("the record for {} cannot be written: it must have format {}, finite numbers only and no contradiction", path.display(), crate::FORMAT)]
    Unrepresentable {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong with the record.
        source: BoxError,
    },
    /// The caller's function that writes weights or samples failed.
    #[error("cannot write {}", path.display())]
    Payload {
        /// The file that was to be written.
        path: PathBuf,
        /// That function's error.
        source: BoxError,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
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

/// A number of bytes, shown in MiB or GiB.
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
