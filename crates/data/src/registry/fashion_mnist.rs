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
            sha256: "2c02745d4ad8b4511333d0eca662ac5664a371860abaa4588b1670e7be59fbdf",
        },
        Sum {
            part: Part::Test,
            of: Summed::Labels,
            sha256: "b2095bc797d1201e84da76c94012c02d0e6f07af0938df4e00120a3b42d1aa4c",
        },
        Sum {
            part: Part::Train,
            of: Summed::FirstPixels(10_000),
            sha256: "2c674aa37db203261d5fac57782b4e0cdd3d43b21d56840f129eb6941aee9053",
        },
        Sum {
            part: Part::Test,
            of: Summed::FirstPixels(2_000),
            sha256: "f39078a86507895ee748d0ecda0fe3b9b2eda12863a70e275636ff7926f896cc",
        },
    ],
    proof: Proof::Sums,
    archives: &[],
};
