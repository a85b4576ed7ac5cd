//! Why a weight file is refused. Every message says what to do, and fits after the path of the file.

use std::fmt;
use std::io;

/// Why a weight file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot be opened ({0}); give the path of a .safetensors or .pth file")]
    Open(io::Error),
    /// A folder, a device or a pipe.
    #[error("is not a regular file; give the path of a .safetensors or .pth file")]
    NotAFile,
    /// The file is longer than any that is read.
    #[error("is longer than 4 GiB; save the model's `state_dict()` alone")]
    TooLong,
    /// The content is of another format.
    #[error("is {what}; {fix}")]
    Format {
        /// What it is.
        what: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// The file is cut off or changed.
    #[error("not a whole {format} ({problem}); copy it again")]
    Damaged {
        /// What it should be.
        format: &'static str,
        /// The first thing found wrong.
        problem: String,
    },
    /// The file asks for more than its length or any network accounts for.
    #[error("{0}; save the model's `state_dict()` alone, with torch.save")]
    Limit(String),
    /// The file holds something else than arrays of floats.
    #[error("{what}; {fix}")]
    Content {
        /// What is there.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// The file can be understood in two ways.
    #[error("{what}: `{first}` and `{second}`; {fix}")]
    Ambiguous {
        /// What there is more than one of.
        what: &'static str,
        /// One of them.
        first: String,
        /// Another one.
        second: String,
        /// What to do.
        fix: &'static str,
    },
    /// A tensor cannot be used.
    #[error("tensor `{name}` {problem}; {fix}")]
    Tensor {
        /// Its name in the file.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        fix: &'static str,
    },
    /// There is nothing to read.
    #[error("holds no tensors; save a model's `state_dict()`")]
    Empty,
}

/// What to do where a file has more, or something else, than one network's arrays.
pub(crate) const SAVE: &str =
    "load it with PyTorch and save the `state_dict()` of the model you mean";

impl Error {
    /// That of a file that should be of `format`.
    pub(crate) fn damaged(format: &'static str, problem: impl fmt::Display) -> Self {
        Self::Damaged {
            format,
            problem: problem.to_string(),
        }
    }

    /// That of the tensor `name`, if PyTorch itself can put it right.
    pub(crate) fn tensor(name: &str, problem: impl Into<String>, fix: &'static str) -> Self {
        Self::Tensor {
            name: Shown(name).to_string(),
            problem: problem.into(),
            fix,
        }
    }
}

/// A file's own text within a message: on one line, and not longer than a name should be.
pub(crate) struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LENGTH: usize = 100;
        for c in self.0.chars().take(LENGTH).flat_map(char::escape_debug) {
            write!(f, "{c}")?;
        }
        match self.0.chars().nth(LENGTH) {
            Some(_) => f.write_str("..."),
            None => Ok(()),
        }
    }
}
