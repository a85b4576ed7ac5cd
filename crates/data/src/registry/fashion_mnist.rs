//! Fashion-MNIST, the embedded subset.

use super::{Id, Info, Layout, Packed, Part, Proof, Sum, Summed};

/// 1,000 training and 200 test images of each class.
pub(super) const EMBEDDED: Info = Info {
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
    how_to_get: "do nothing: it is part of the program",
    tracks: false,
    layouts: &[Layout::Embedded],
    folders: &[],
    packed: Packed::square(32),
    sums: &[
        Sum {
            part: Part::Train,
            of: Summed::Labels,
            sha256: "0",
        },
        Sum {
            part: Part::Test,
            of: Summed::Labels,
            sha256: "0",
        },
        Sum {
            part: Part::Train,
            of: Summed::FirstPixels(10_000),
            sha256: "0",
        },
        Sum {
            part: Part::Test,
            of: Summed::FirstPixels(2_000),
            sha256: "0",
        },
    ],
    proof: Proof::Sums,
    archives: &[],
};
