//! What can go wrong with keys.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate. None shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other users of the machine can read a secret.
    #[error(
        "{}: other users can read it (mode {mode:03o}); run `chmod {fix} {}`",
        path.display(),
        path.display()
    )]
    Mode {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that it needs.
        fix: &'static str,
    },
    /// A damaged file.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A name that cannot be one.
    #[error("`{0}` is not a name of a user; use 1 to 64 of the characters a-z, 0-9, `-` and `_`")]
    Name(String),
    /// The user is already there.
    #[error("user `{0}` exists; use `rotate` to give a new key")]
    Exists(String),
    /// The user is not there.
    #[error("there is no user `{name}`{}", hint(known))]
    Unknown {
        /// The name.
        name: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// The user has no key to sign with.
    #[error("all keys of user `{0}` are revoked; use `rotate` to give a new key")]
    NoKey(String),
    /// Text that is no key.
    #[error("{0}")]
    Text(&'static str),
    /// A secret cannot be decrypted.
    #[error("{what}: {problem}")]
    Locked {
        /// The secret's name.
        what: String,
        /// Why, and what to do.
        problem: &'static str,
    },
}

fn hint(known: &[String]) -> String {
    match known {
        [] => "; the repository is empty, use `keys add`".to_owned(),
        known => format!("; known: {}", known.join(", ")),
    }
}

impl Error {
    /// Wraps an error of the file system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
