//! Reads weight files: safetensors, and the files of `torch.save` (zip archives, the pickles from before PyTorch 1.6, and the tar archives
//! of 2016).
//! Returns tensors by name, as arrays of `f32`.
//!
//! A weight file is untrusted input. Nothing in it is executed. Every claimed size is checked before memory is reserved.
//! Damaged or ambiguous files, and tensors that are not finite floats, are refused. The message names the tensor or the
//! entry, and the fix. The length of the file bounds time and memory.
//!
//! The format is recognised by the content. The file extension is ignored.
//!
//! ```
//! // A safetensors file: the length of the header, the header, the numbers.
//! let header = br#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! file.extend(header);
//! file.extend([0.5f32, -1.0].map(f32::to_le_bytes).concat());
//!
//! let read = brink_checkpoint::from_bytes(&file)?;
//! assert_eq!(read.tensors["bias"].shape, [2]);
//! assert_eq!(read.tensors["bias"].values, [0.5, -1.0]);
//! # Ok::<(), brink_checkpoint::Error>(())
//! ```

mod archive;
mod claim;
mod dtype;
mod error;
mod float;
mod format;
mod hash;
mod legacy;
mod load;
mod names;
mod origin;
mod pickle;
mod safetensors;
mod state_dict;
mod tar;
mod torch;
mod view;
mod zeros;

pub use claim::Claim;
pub use error::Error;
pub use origin::{Container, Origin};

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// The longest accepted file, in bytes: 4 GiB. The weights of VGG19 take 0.5 GiB.
pub const MAX_LENGTH: u64 = 1 << 32;

/// What a weight file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The tensors by name. A wrapper's prefix (`module.`) is removed if all names have it. The counters
    /// `num_batches_tracked` are left out.
    pub tensors: BTreeMap<String, Tensor>,
    /// The accuracy that the file claims for its network.
    pub claim: Option<Claim>,
    /// How the file held them.
    pub origin: Origin,
}

/// An array of finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The length of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// PyTorch's name of the type in the file, such as `float16`.
    pub dtype: &'static str,
    /// The values in row-major order; their number is the product of `shape`.
    pub values: Vec<f32>,
}

/// Reads a weight file.
///
/// # Errors
/// If the file cannot be opened, is not a regular file, or is longer than [`MAX_LENGTH`], or if [`from_bytes`] fails.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let file = File::open(path).map_err(Error::Open)?;
    let about = file.metadata().map_err(Error::Open)?;
    // Devices and pipes have no length, and all limits depend on it.
    if !about.is_file() {
        return Err(Error::NotAFile);
    }
    let mut bytes = Vec::new();
    if about.len() <= MAX_LENGTH {
        bytes.reserve_exact(about.len() as usize);
    }
    let limited = &mut file.take(MAX_LENGTH + 1);
    if about.len() > MAX_LENGTH
        || limited.read_to_end(&mut bytes).map_err(Error::Open)? as u64 > MAX_LENGTH
    {
        return Err(Error::TooLong);
    }
    from_bytes(&bytes)
}

/// Reads the content of a weight file.
///
/// # Errors
/// If the format is unknown, if the file is damaged or ambiguous, or if a tensor is not made of finite floats. Weights and variances that
/// are all zeros are refused, too.
pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
    let read = match format::of(bytes)? {
        Container::Archive => archive::read(bytes),
        Container::Legacy => legacy::read(bytes),
        Container::Safetensors => safetensors::read(bytes),
        Container::Tar => tar::read(bytes),
    }?;
    zeros::refuse(&read.tensors)?;
    Ok(read)
}
