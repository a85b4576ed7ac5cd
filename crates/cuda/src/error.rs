//! What can go wrong on a GPU.

use std::path::PathBuf;

/// A problem of the driver, of the GPU or of its memory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no driver library, it lacks a function, or it finds no GPU.
    #[error("no NVIDIA driver: {problem}")]
    NoDriver {
        /// What the system says.
        problem: String,
    },
    /// A library that was named cannot be used.
    #[error("{}: {problem}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// There are fewer GPUs.
    #[error("there is no GPU {ordinal}; this machine has {count}, counted from 0")]
    NoGpu {
        /// The number asked for.
        ordinal: usize,
        /// The number of GPUs.
        count: usize,
    },
    /// The GPU is older than the kernels.
    #[error("{name} has compute capability {major}.{minor}; 8.0 is the least")]
    TooOld {
        /// Its name.
        name: String,
        /// Its compute capability.
        major: i32,
        /// The digit behind the point.
        minor: i32,
    },
    /// A call of the driver failed.
    #[error("{call} failed with {name} ({code})")]
    Call {
        /// The driver's function.
        call: &'static str,
        /// Its error.
        code: i32,
        /// The error's name.
        name: String,
    },
    /// The work needs more memory than there is.
    #[error(
        "GPU memory: {} needed, {} allowed; raise --gpu-memory, or use another device",
        mib(*need), mib(*budget)
    )]
    OutOfMemory {
        /// Bytes that the work needs.
        need: usize,
        /// Bytes that it may have.
        budget: usize,
    },
    /// A map is too large for the kernels' numbers.
    #[error("{what} is too large for the GPU's kernels")]
    TooLarge {
        /// What it is.
        what: &'static str,
    },
    /// The GPU computes other bits than the CPU.
    #[error(
        "the GPU does not compute the CPU's bits: {differing} of {of} elements of the {what} of a test network differ"
    )]
    OtherBits {
        /// Which result.
        what: &'static str,
        /// Elements that differ.
        differing: usize,
        /// All elements.
        of: usize,
    },
    /// An operation on the CPU failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The result of work on a GPU.
pub type Result<T> = std::result::Result<T, Error>;

fn mib(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        Self::wrap(error)
    }
}
