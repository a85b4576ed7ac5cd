//! All data sets, in one slice. Opening, checking, fetching and listing all use it.

mod cifar10;
mod fashion_mnist;
mod flowers102;
mod gtsrb;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fetch::Archive;
use crate::{Error, Facts, Fault};

/// The name of a data set. [`REGISTRY`] has its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Id {
    /// The embedded subset of Fashion-MNIST.
    FashionMnist,
    /// CIFAR-10 with its original pixels.
    Cifar10,
    /// CIFAR-10, re-encoded as JPEG of quality 75.
    Cifar10Jpeg,
    /// GTSRB, the German traffic signs.
    Gtsrb,
    /// GTSRB with only every second training image.
    GtsrbThinned,
    /// Flowers-102 (Oxford).
    Flowers102,
    /// Flowers-102, enlarged from small JPEG images.
    #[serde(rename = "flowers102-64")]
    Flowers102Small,
}

impl Id {
    /// The set's entry in [`REGISTRY`]. Entries are in the order of the variants.
    pub fn info(self) -> &'static Info {
        &REGISTRY[self as usize]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

/// The error that no data set has this name.
#[derive(Debug, thiserror::Error)]
#[error("unknown data set `{name}`; {}", hint(name))]
pub struct UnknownId {
    /// The given name.
    pub name: String,
}

fn hint(name: &str) -> String {
    let known: Vec<&str> = REGISTRY.iter().map(|info| info.name).collect();
    brink_config::nearest::hint(name, &known)
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

/// The description of a data set.
#[derive(Debug)]
pub struct Info {
    /// The set's name in code.
    pub id: Id,
    /// Its identifier in configurations, on the command line and in records.
    pub name: &'static str,
    /// Its title in tables.
    pub title: &'static str,
    /// The number of classes; labels are `0..classes`.
    pub classes: usize,
    /// The names of the classes, in the order of the labels.
    pub class_names: &'static [&'static str],
    /// The number of training images.
    pub train: usize,
    /// The number of test images.
    pub test: usize,
    /// The shape of an image after reading, `(c, h, w)`.
    pub shape: [usize; 3],
    /// The authors, and how the images were changed.
    pub origin: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// How to get the set: the rest of a sentence that begins with `To get it,`.
    pub how_to_get: &'static str,
    /// Whether the training images come in groups of near-duplicates (the frames of a track).
    /// [`Split::hold_out`](crate::Split::hold_out) keeps groups whole.
    pub tracks: bool,
    /// The possible layouts on disk, the preferred one first.
    pub layouts: &'static [Layout],
    /// The folders to search for Parquet files, relative to the data folder; `""` is the data folder itself.
    pub folders: &'static [&'static str],
    /// How the Parquet files of the set are made.
    pub packed: Packed,
    /// The checksums that must agree.
    pub sums: &'static [Sum],
    /// How the whole content is verified.
    pub proof: Proof,
    /// The archives to download; empty if the set cannot be fetched.
    pub archives: &'static [Archive],
}

/// How the Parquet files of a set are made.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// The prefixes of the names of the files with training images, in the order of the images.
    pub train: &'static [&'static str],
    /// Height and width of the stored images, in pixels. They are resized if [`Info::shape`] differs.
    pub size: [usize; 2],
}

impl Packed {
    /// Files `train-*` and `test-*` with square images of `side` by `side` pixels.
    pub const fn square(side: usize) -> Self {
        Self {
            train: &["train"],
            size: [side, side],
        }
    }
}

impl Info {
    /// What a grid needs to know of the set.
    pub fn facts(&self) -> Facts {
        Facts {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            classes: self.classes,
            train: self.train,
            test: self.test,
            shape: self.shape,
            tracks: self.tracks,
        }
    }

    /// The error about `fault` in `path`. It says how to get the set.
    pub(crate) fn fault(&self, path: impl Into<PathBuf>, fault: Fault) -> Error {
        Error::File {
            path: path.into(),
            fault: Box::new(fault),
            how_to_get: format!("To get it again, {}.", self.how_to_get),
        }
    }

    /// The number of images in a part.
    pub(crate) fn images(&self, part: Part) -> usize {
        match part {
            Part::Train => self.train,
            Part::Test => self.test,
        }
    }

    /// Checks the label `found` of image `index`.
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

/// An expected checksum.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// The part of the set.
    pub part: Part,
    /// The data that the checksum covers.
    pub of: Summed,
    /// The expected SHA-256, in hex.
    pub sha256: &'static str,
}

/// How to verify that the content of a set is the official one (for a packed set: the one that datasets.md documents).
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// By its [`Sum`]s, which cover all pixels and labels. Other content is refused.
    Sums,
    /// By the SHA-1 of CIFAR-10's binary files, in hex, the test images last. Other content is used, but reported.
    Batches(&'static [&'static str]),
    /// By the checksums of the archives, which `fetch` compares. Content from elsewhere is used, but reported.
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

/// The data that a checksum covers. None depends on how a set is split into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summed {
    /// The labels in order, one byte each.
    Labels,
    /// The pixels of the first images (this many), `(n, c, h, w)`, one byte each. They distinguish original from re-encoded
    /// pixels.
    FirstPixels(usize),
    /// The encoded images in order, one after the other (Parquet only).
    Encoded,
    /// The tracks in order, four bytes each (little-endian): the class times 65,536, plus the track's number in the class.
    Tracks,
}

impl fmt::Display for Summed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels => f.write_str("the labels"),
            Self::FirstPixels(n) => write!(f, "the pixels of the first {n} images"),
            Self::Encoded => f.write_str("the encoded images"),
            Self::Tracks => f.write_str("the tracks in the file names"),
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
                    "{}: nothing verifies it",
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
