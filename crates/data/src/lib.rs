//! Reads and checks data sets in a fixed order, embeds a small real one, and downloads the others.
//!
//! The paper's results are about real images, so the meaning of a run depends on the exact pixels. Every set has one entry in
//! [`REGISTRY`] that states its origin and the expected contents. [`open`] accepts a set only if counts, label range and
//! checksums agree with that entry. Images come in the official order. [`Content`] says whether all pixels are verified to be
//! the official ones.
//!
//! ```
//! let set = brink_data::open(brink_data::Id::FashionMnist, None)?;
//! assert_eq!(set.train.len(), 10_000);
//! let pixels = set.test.images(&[0, 1]); // (2, 3, 32, 32) in [0, 1]
//! assert_eq!(pixels.len(), 2 * 3 * 32 * 32);
//! # Ok::<(), brink_data::Error>(())
//! ```

mod augment;
mod batches;
mod checksum;
mod content;
#[cfg(test)]
mod corpus;
mod decode;
mod encoded;
mod error;
mod facts;
mod fashion;
pub mod fetch;
mod files;
mod flowers;
mod gtsrb;
mod guard;
mod head;
mod hold_out;
mod locate;
mod matlab;
mod own;
mod records;
mod registry;
mod resize;
mod shard;
mod split;
#[cfg(test)]
mod tests;
mod unpack;

pub use augment::Augment;
pub use batches::Batches;
pub use content::Content;
pub use error::{Absence, Error, Fault};
pub use facts::Facts;
pub use fetch::fetch;
pub use locate::{Presence, find, open};
pub use own::{Own, OwnSet, Place, open_own};
pub use records::binary_records;
pub use registry::{
    Codec, Id, Info, Layout, Packed, Part, Proof, REGISTRY, Sum, Summed, UnknownId,
};
pub use split::{Dataset, Split};
