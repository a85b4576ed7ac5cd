//! Reads weight files: safetensors, and what `torch.save` writes, as a zip archive or as the pickles of before PyTorch 1.6.
//! Out come names and arrays of `f32`.
//!
//! A weight file comes from a stranger. So nothing in it is executed; what it claims is checked before memory is reserved for it;
//! and what is damaged, ambiguous or no float is refused with a message that names the tensor or the entry and the way out.
//! Time and memory are bounded by the length of the file.
//!
//! The format is recognised by the content. The ending of the file's name means nothing.
//!
//! ```
//! // A safetensors file: the length of the header, the header, the numbers.
//! let header = br#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! file.extend(header);
//! file.extend([0.5f32, -1.0].map(f32::to_le_bytes).concat());
//!
//! let read = checkpoint::from_bytes(&file)?;
//! assert_eq!(read.tensors["bias"].shape, [2]);
//! assert_eq!(read.tensors["bias"].values, [0.5, -1.0]);
//! # Ok::<(), checkpoint::Error>(())
//! ```

mod archive;
mod claim;
mod dtype;
mod error;
mod float;
mod format;
mod legacy;
mod load;
mod names;
mod pickle;
mod safetensors;
mod state_dict;
mod torch;
mod view;

pub use claim::Claim;
pub use error::Error;

use format::Format;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// The longest file that is read, in bytes: 4 GiB. The largest published ImageNet networks have 0.6.
pub const MAX_LENGTH: u64 = 1 << 32;

/// What a weight file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The tensors by name, without a wrapper's prefix that all names had (`module.`), and without counters
    /// `num_batches_tracked`.
    pub tensors: BTreeMap<String, Tensor>,
    /// The accuracy that the file says its network has.
    pub claim: Option<Claim>,
}

/// An array of finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The length of each dimension; none for a single number.
    pub shape: Vec<usize>,
    /// The numbers in row-major order, as many as the product of the lengths.
    pub values: Vec<f32>,
}

/// Reads a weight file.
///
/// # Errors
/// If the file cannot be opened, is longer than [`MAX_LENGTH`], or [`from_bytes`] refuses its content.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let file = File::open(path).map_err(Error::Open)?;
    let about = file.metadata().map_err(Error::Open)?;
    // Devices and pipes have no length to derive limits from.
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
/// If it is of no format that this crate reads, damaged, ambiguous, or has a tensor that is not made of finite floats.
pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
    match format::of(bytes)? {
        Format::Archive => archive::read(bytes),
        Format::Legacy => legacy::read(bytes),
        Format::Safetensors => safetensors::read(bytes),
    }
}
