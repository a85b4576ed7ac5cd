//! Errors of this crate. Every message names a fix, and reads well after the path of the file.

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
    /// The file is longer than [`MAX_LENGTH`](crate::MAX_LENGTH).
    #[error("is longer than 4 GiB; {SAVE}")]
    TooLong,
    /// The content has another format.
    #[error("is {what}; {fix}")]
    Format {
        /// The format found.
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
    /// The file claims more values than its length, or any network, could explain.
    #[error("{0}; {SAVE}")]
    Limit(String),
    /// The file holds something other than arrays of floats.
    #[error("{what}; {fix}")]
    Content {
        /// The content found.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// The file can be read in two ways.
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
    /// The file has no tensors.
    #[error("holds no tensors; {SAVE}")]
    Empty,
}

/// The fix for a file that does not hold a state dict alone.
pub(crate) const SAVE: &str =
    r#"load the model in Python and type `torch.save(model.state_dict(), "weights.pth")`"#;

/// The fix for several state dicts in a file.
pub(crate) const CHOOSE: &str = r#"in Python, `torch.save(torch.load("FILE")["KEY"], "weights.pth")` saves the one that you mean"#;

/// The fix for a file that another PyTorch can write better.
pub(crate) const AGAIN: &str =
    r#"in Python, type `torch.save(torch.load("FILE"), "weights.pth")` with PyTorch 2.1 or newer"#;

/// The fix for numbers in the big-endian order, and in the little-endian one, of which the file says nothing.
pub(crate) const BIG_ENDIAN: &str = r#"in Python, type `torch.serialization.set_default_load_endianness(torch.serialization.LoadEndianness.BIG)`, then `torch.save(torch.load("FILE"), "weights.pth")`"#;
pub(crate) const LITTLE_ENDIAN: &str = r#"in Python, type `torch.serialization.set_default_load_endianness(torch.serialization.LoadEndianness.LITTLE)`, then `torch.save(torch.load("FILE"), "weights.pth")`"#;

/// The fix for tensors that are no floats.
pub(crate) const FLOAT: &str = r#"save the float network, before it is quantised: `torch.save(model.state_dict(), "weights.pth")`"#;

impl Error {
    /// The error about a damaged file that should have the format `format`.
    pub(crate) fn damaged(format: &'static str, problem: impl fmt::Display) -> Self {
        Self::Damaged {
            format,
            problem: problem.to_string(),
        }
    }

    /// The error about the tensor `name`.
    pub(crate) fn tensor(name: &str, problem: impl Into<String>, fix: &'static str) -> Self {
        Self::Tensor {
            name: Shown(name).to_string(),
            problem: problem.into(),
            fix,
        }
    }
}

/// Text from a file, made safe for a message: escaped to one line, and cut after 100 characters.
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
