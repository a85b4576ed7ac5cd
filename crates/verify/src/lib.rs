//! The protocol: secret key, sensitive samples, black-box query, verdict and statistics.
//!
//! A verifier holds a [`SecretKey`] and a [`SensitiveSet`]: images that sit beside the decision boundary of the model as
//! it was delivered, with the labels that model gave them. It asks the model as it is now, through an [`Oracle`] and
//! nothing else, and [`verify()`] counts how many labels flipped. Paper: Gao et al., ICME 2024 (arXiv 2404.07572),
//! section III.

pub mod control;
pub mod stats;

mod error;
mod head;
mod images;
mod key;
mod oracle;
mod pairing;
mod pixels;
mod set;
mod verdict;

pub use control::Control;
pub use error::{Error, OracleError};
pub use head::Head;
pub use images::Images;
pub use key::{KeyCheck, SecretKey};
pub use oracle::{LabelSpace, Oracle, labels};
pub use pairing::{Pairing, all_pairs_expectation};
pub use pixels::{Difference, Pixels};
pub use set::{FileError, Layout, SensitiveSet};
pub use stats::Rate;
pub use verdict::{Verdict, verify};
