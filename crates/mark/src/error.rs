//! What can be wrong with the file of a mark.

use safetensors::SafeTensorError;

use crate::FORMAT;

/// Why bytes are not a mark.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another kind of file.
    #[error("not a file of `brink protect`")]
    Foreign,
    /// Written by a newer version.
    #[error("it has format {found}, and this version reads up to {FORMAT}; use a newer version")]
    Format {
        /// The version found.
        found: u32,
    },
    /// A bit differs from what was signed.
    #[error(
        "damaged or forged: the signature does not fit; copy it again, or protect the model again"
    )]
    Signature,
    /// Signed, but not what a mark holds.
    #[error("its signature fits, but its content is not usable: {0}")]
    Content(String),
    /// The pairs cannot be written.
    #[error("the pairs cannot be written")]
    Write(#[from] SafeTensorError),
}
