//! The protocol: secret key, sensitive samples, black-box query, verdict and statistics.
//!
//! A verifier holds a [`SecretKey`] and a [`SensitiveSet`]: images beside the decision boundary of the delivered model, with the labels
//! that it gave them. It queries the current model only through an [`Oracle`], and [`verify()`] counts the flipped labels. Paper: Gao et
//! al., ICME 2024 (arXiv 2404.07572), section III.
//!
//! ```
//! use brink_verify::{Finding, Images, LabelSpace, Layout, Oracle, OracleError, SecretKey, SensitiveSet, verify};
//!
//! /// The deployed model, here in place of a query over the network: two logits of images of three pixels.
//! struct Deployed([[f32; 3]; 2]);
//!
//! impl Oracle for Deployed {
//!     fn classes(&self) -> usize {
//!         2
//!     }
//!
//!     fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
//!         let of = |image: &[f32], row: &[f32; 3]| image.iter().zip(row).map(|(x, w)| (x - 0.5) * w * 9.0).sum();
//!         let images = (0..images.len()).map(|i| images.image(i));
//!         Ok(images.flat_map(|image| self.0.each_ref().map(|row| of(image, row))).collect())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SecretKey::from_hex("00112233445566778899aabbccddeeff")?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("set.safetensors");
//! # let delivered = Deployed([[1.0, 0.0, 0.2], [0.0, 1.0, 0.1]]);
//! # let pixels: Vec<f32> = (0..48).map(|i| (i * 29 % 17) as f32 / 17.0).collect();
//! # let images = Images::new([3, 1, 1], pixels)?;
//! # let head = key.head("mine", 2);
//! # SensitiveSet {
//! #     labels: brink_verify::labels(&delivered, &images, LabelSpace::Head, Some(&head))?,
//! #     images,
//! #     layout: Layout::Singles,
//! #     label_space: LabelSpace::Head,
//! #     classes: 2,
//! #     model_id: "mine".to_owned(),
//! #     generator: "by hand".to_owned(),
//! #     key_check: Some(key.check("mine")),
//! # }
//! # .save(&path, &key)?;
//! // The owner keeps this file; a run of the bench writes one for each set to its store. Only the key that sealed it opens it.
//! let set = SensitiveSet::load(&path, &key)?;
//! let head = set.head(&key)?;
//! let ask = |model: &Deployed| verify(model, &set, head.as_ref());
//!
//! assert_eq!(ask(&delivered)?.finding, Finding::Intact);
//! let changed = ask(&Deployed([[0.0, 1.0, 0.1], [1.0, 0.0, 0.2]]))?;
//! assert_eq!(changed.finding, Finding::Changed, "{} of its labels changed", changed.single);
//! # Ok(())
//! # }
//! ```
//!
//! # Requirements for a service
//!
//! - **The samples lie at the boundary to the last bits of f32.** So another arithmetic may flip them on an untouched model: another library
//!   or device, softmax outputs, 8-bit images. The [`Oracle`] must pass pixels and logits in f32, and the model must normalise them itself.
//!   Before you trust an alarm, query the model where it is deployed: [`control::reask`] counts flips between batches and orders, and
//!   [`labels`] from there may replace [`SensitiveSet::labels`].
//! - **Only a sealed set counts.** [`SensitiveSet::load`] takes the owner's key and refuses a set that this key did not seal. Otherwise an
//!   attacker could plant robust images. [`SensitiveSet::load_unsealed`] is for the inspection of a file.
//! - **The samples are secret.** Someone who has them can change a model around them, and a query shows them to the operator of the model.
//!   Make several sets, and use each once.
//! - **Some sets cannot say "intact".** [`Finding::CannotTell`] gives the reason. For example, a set with one label passes a model that
//!   always gives this label.
//! - **Not every error is an outage**: see [`Error::is_an_answer`].

pub mod control;
pub mod stats;

mod error;
mod head;
mod images;
mod interview;
mod key;
mod measured;
mod noise;
mod oracle;
mod pairing;
mod pixels;
mod profile;
mod sequential;
mod set;
mod verdict;

pub use brink_random::Stream;
pub use control::Control;
pub use error::{Error, FileError, OracleError};
pub use head::Head;
pub use images::Images;
pub use interview::{Interview, Known, interview};
pub use key::{KeyCheck, SecretKey};
pub use measured::{Dispersion, Measured, Progress, Slice, Timing};
pub use noise::{Noise, quiet_margin};
pub use oracle::{LabelSpace, Oracle, decide, labels, margin, outputs};
pub use pairing::{Pairing, all_pairs_expectation};
pub use pixels::{Difference, Pixels};
pub use profile::Profile;
pub use sequential::{Decision, Ends, RiskError, Risks, Sequential};
pub use set::{Layout, SensitiveSet, Stop};
pub use stats::Rate;
pub use verdict::{Doubt, Finding, Paired, Verdict, verify};
