//! Every data set there is, in one slice that drives opening, checking, fetching and listing.

mod cifar10;
mod fashion_mnist;
mod flowers102;
mod gtsrb;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fetch::Archive;
use crate::{Error, Fault};

/// Names one data set. What is known about it stands in [`REGISTRY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Id {
    /// The embedded subset of Fashion-MNIST.
    FashionMnist,
    /// CIFAR-10 with its original pixels.
    Cifar10,
    /// CIFAR-10 whose pixels went through JPEG at quality 75.
    Cifar10Jpeg,
    /// GTSRB, the German traffic signs.
    Gtsrb,
    /// GTSRB with every second training image.
    GtsrbThinned,
    /// Oxford's 102 flowers.
    Flowers102,
    /// Oxford's 102 flowers out of small JPEG images.
    #[serde(rename = "flowers102-64")]
    Flowers102Small,
}

impl Id {
    /// The set's entry in [`REGISTRY`], which is in the order of the variants.
    pub fn info(self) -> &'static Info {
        &REGISTRY[self as usize]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

/// A name that no data set has.
#[derive(Debug, thiserror::Error)]
#[error("unknown data set `{name}`; {}", hint(name))]
pub struct UnknownId {
    /// The name that was given.
    pub name: String,
}

fn hint(name: &str) -> String {
    let known: Vec<&str> = REGISTRY.iter().map(|info| info.name).collect();
    spec::nearest::hint(name, &known)
}

impl FromStr for Id {
    type Err = UnknownId;

    fn from_str(name: &str) -> Result<Self, UnknownId> {
        REGISTRY
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.id)
            .ok_or_else(|| UnknownId { name: name.into() })
    }
}

/// What is known about a data set.
#[derive(Debug)]
pub struct Info {
    /// The set.
    pub id: Id,
    /// Its identifier in configurations, on the command line and in records.
    pub name: &'static str,
    /// Its title in tables.
    pub title: &'static str,
    /// Number of classes; labels are `0..classes`.
    pub classes: usize,
    /// Names of the classes, in the order of the labels.
    pub class_names: &'static [&'static str],
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Shape of an image as it is handed out, `(c, h, w)`.
    pub shape: [usize; 3],
    /// Who made it, and what was done to it here.
    pub origin: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// The way to get it, as a message that begins `To get it,` goes on.
    pub how_to_get: &'static str,
    /// Whether the training images come in groups of near-duplicates (the frames of a track), which
    /// [`Split::hold_out`](crate::Split::hold_out) keeps whole.
    pub tracks: bool,
    /// The layouts in which it may lie on disk, the preferred one first.
    pub layouts: &'static [Layout],
    /// Folders under the data folder in which Parquet files are looked for; `""` is the data folder itself.
    pub folders: &'static [&'static str],
    /// How it is packed in Parquet files.
    pub packed: Packed,
    /// Checksums that must agree.
    pub sums: &'static [Sum],
    /// What shows that all of its content is the official one.
    pub proof: Proof,
    /// The archives from which it can be fetched; none if it cannot.
    pub archives: &'static [Archive],
}

/// What is particular about the Parquet files of a set.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// How the names of the files with training images begin, in the order of the images.
    pub train: &'static [&'static str],
    /// Height and width of the images in them; if it is not that of the set, they are resized.
    pub size: [usize; 2],
}

impl Packed {
    /// Files called `train-*` and `test-*` with square images of `side` pixels.
    pub const fn square(side: usize) -> Self {
        Self {
            train: &["train"],
            size: [side, side],
        }
    }
}

impl Info {
    /// `fault` in `path`, with the way to get the set.
    pub(crate) fn fault(&self, path: impl Into<PathBuf>, fault: Fault) -> Error {
        Error::File {
            path: path.into(),
            fault: Box::new(fault),
            how_to_get: format!("To get it anew, {}.", self.how_to_get),
        }
    }

    /// Number of images in a part.
    pub(crate) fn images(&self, part: Part) -> usize {
        match part {
            Part::Train => self.train,
            Part::Test => self.test,
        }
    }

    /// The label `found` of image `index`, if it is one of the set's.
    pub(crate) fn label(&self, index: usize, found: i64) -> Result<u16, Fault> {
        let label = u16::try_from(found).ok();
        let known = label.filter(|&label| usize::from(label) < self.classes);
        known.ok_or(Fault::Label {
            index,
            found,
            last: self.classes - 1,
        })
    }
}

/// How the images of a set are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Inside this program.
    Embedded,
    /// CIFAR-10's official binary batches: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
    Records,
    /// GTSRB's official tree of PPM images, `Final_Training` and `Final_Test`.
    Gtsrb,
    /// Flowers-102's official folder `jpg` with `imagelabels.mat` and `setid.mat`.
    Flowers,
    /// Hugging Face's Parquet shards of encoded images, `train-*.parquet` and `test-*.parquet`; see [`Packed`].
    Parquet(Codec),
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Records => f.write_str("official binary batches"),
            Self::Gtsrb | Self::Flowers => f.write_str("official image files"),
            Self::Parquet(codec) => write!(f, "{codec} images in Parquet"),
        }
    }
}

/// How a single image is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Lossless.
    Png,
    /// Lossy.
    Jpeg,
    /// Lossless, not compressed.
    Ppm,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Ppm => "PPM",
        })
    }
}

/// A checksum that a set must have.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// The part summed.
    pub part: Part,
    /// What of it is summed.
    pub of: Summed,
    /// The expected SHA-256, in hex.
    pub sha256: &'static str,
}

/// What shows that the content of a set is the official one, or of a packed set that which datasets.md documents.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// Its [`Sum`]s, which cover all pixels and labels: other content is refused.
    Sums,
    /// The SHA-1 of CIFAR-10's binary files, in hex, the one of the test images last. Other content is used, and told.
    Batches(&'static [&'static str]),
    /// No published sum but those of the archives, which `fetch` compares. Content from elsewhere is used, and told.
    Archives,
}

/// One of the two parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The training images.
    Train,
    /// The test images.
    Test,
}

/// What a checksum is taken of. None of them depends on how a set is cut into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summed {
    /// The labels in order, one byte each.
    Labels,
    /// The pixels of so many first images, `(n, c, h, w)`, one byte each: tells original pixels from re-encoded ones.
    FirstPixels(usize),
    /// The encoded images in order, one after the other (Parquet only).
    Encoded,
    /// The tracks in order, four bytes each (little-endian): the class times 65,536 and the track's number in it.
    Tracks,
}

impl fmt::Display for Summed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels => f.write_str("the labels"),
            Self::FirstPixels(n) => write!(f, "the pixels of the first {n} images"),
            Self::Encoded => f.write_str("the encoded images"),
            Self::Tracks => f.write_str("the tracks that the file names tell"),
        }
    }
}

/// All data sets, in the order of the variants of [`Id`].
pub static REGISTRY: &[Info] = &[
    fashion_mnist::EMBEDDED,
    cifar10::ORIGINAL,
    cifar10::JPEG,
    gtsrb::ORIGINAL,
    gtsrb::THINNED,
    flowers102::ORIGINAL,
    flowers102::SMALL,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slice_is_in_the_order_of_the_variants_and_names_agree() {
        for (index, info) in REGISTRY.iter().enumerate() {
            assert_eq!(info.id as usize, index);
            assert!(info.classes <= 256, "label checksums take one byte a label");
            assert_eq!(info.class_names.len(), info.classes, "{}", info.name);
            assert_eq!(info.name.parse::<Id>().unwrap(), info.id);
            assert_eq!(info.id.to_string(), info.name);
            assert_eq!(serde_json::to_value(info.id).unwrap(), info.name);
            assert_eq!(
                serde_json::from_value::<Id>(info.name.into()).unwrap(),
                info.id
            );
        }
    }

    #[test]
    fn sums_that_are_a_proof_cover_all_pixels_and_labels() {
        for info in REGISTRY {
            if !matches!(info.proof, Proof::Sums) {
                assert!(
                    !info.archives.is_empty(),
                    "{}: nothing else tells",
                    info.name
                );
                continue;
            }
            for part in [Part::Train, Part::Test] {
                let has = |of| {
                    let mut sums = info.sums.iter();
                    sums.any(|sum| sum.part == part && sum.of == of)
                };
                let pixels = Summed::FirstPixels(info.images(part));
                assert!(has(Summed::Labels), "{}", info.name);
                assert!(has(Summed::Encoded) || has(pixels), "{}", info.name);
            }
            assert!(!info.tracks || info.sums.iter().any(|sum| sum.of == Summed::Tracks));
        }
    }

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let near = "cifar-10".parse::<Id>().unwrap_err().to_string();
        assert_eq!(near, "unknown data set `cifar-10`; did you mean `cifar10`?");
        let far = "imagenet".parse::<Id>().unwrap_err().to_string();
        assert!(
            far.contains("fashion-mnist, cifar10, cifar10-jpeg"),
            "{far}"
        );
    }
}
