//! GTSRB, the German traffic signs: all training images, and every second one.

use super::{Codec, Id, Info, Layout, Packed, Part, Proof, Sum, Summed};
use crate::fetch::Archive;

/// Names for GTSRB's 43 classes. The authors only number them.
const CLASSES: &[&str] = &[
    "Speed limit (20km/h)",
    "Speed limit (30km/h)",
    "Speed limit (50km/h)",
    "Speed limit (60km/h)",
    "Speed limit (70km/h)",
    "Speed limit (80km/h)",
    "End of speed limit (80km/h)",
    "Speed limit (100km/h)",
    "Speed limit (120km/h)",
    "No passing",
    "No passing for vehicles over 3.5 metric tons",
    "Right-of-way at the next intersection",
    "Priority road",
    "Yield",
    "Stop",
    "No vehicles",
    "Vehicles over 3.5 metric tons prohibited",
    "No entry",
    "General caution",
    "Dangerous curve to the left",
    "Dangerous curve to the right",
    "Double curve",
    "Bumpy road",
    "Slippery road",
    "Road narrows on the right",
    "Road work",
    "Traffic signals",
    "Pedestrians",
    "Children crossing",
    "Bicycles crossing",
    "Beware of ice/snow",
    "Wild animals crossing",
    "End of all speed and passing limits",
    "Turn right ahead",
    "Turn left ahead",
    "Ahead only",
    "Go straight or right",
    "Go straight or left",
    "Keep right",
    "Keep left",
    "Roundabout mandatory",
    "End of no passing",
    "End of no passing by vehicles over 3.5 metric tons",
];

const TEST_LABELS: Sum = Sum {
    part: Part::Test,
    of: Summed::Labels,
    sha256: "90dbce9392b7eec7db1b1f1f13ea73598b72822efaaf9f608c935064fad29db2",
};

/// The original set.
pub(super) const ORIGINAL: Info = Info {
    id: Id::Gtsrb,
    name: "gtsrb",
    title: "GTSRB",
    classes: 43,
    class_names: CLASSES,
    train: 39_209,
    test: 12_630,
    shape: [3, 40, 40],
    origin: "Stallkamp, Schlipsing, Salmen and Igel 2012 (INI, Ruhr-Universitaet Bochum), training images by class, track and \
             frame, test images in official order; whole images resized to 40x40",
    licence: "none stated; free for research, its authors ask to be cited",
    how_to_get: "run `runner data fetch gtsrb`, or download GTSRB_Final_Training_Images.zip, \
                 GTSRB_Final_Test_Images.zip and GTSRB_Final_Test_GT.zip by hand and unpack them in the data folder, so that \
                 this holds GTSRB/Final_Training, GTSRB/Final_Test and GT-final_test.csv; datasets.md tells more",
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
        TEST_LABELS,
    ],
    proof: Proof::Archives,
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
};

/// Only every second frame of each track.
pub(super) const THINNED: Info = Info {
    id: Id::GtsrbThinned,
    name: "gtsrb-thinned",
    title: "GTSRB (every 2nd frame)",
    classes: 43,
    class_names: CLASSES,
    train: 19_605,
    test: 12_630,
    shape: [3, 40, 40],
    origin: "GTSRB (Stallkamp et al. 2012), whole images already resized to 40x40 (lossless), of the training images every \
             second frame of each track, all test images",
    licence: "none stated; free for research, its authors ask to be cited",
    how_to_get: "put train-00000-of-00002.parquet, train-00001-of-00002.parquet and test-00000-of-00001.parquet \
                 into the folder gtsrb-thinned (or gtsrb) of the data folder; datasets.md tells what they hold and how they \
                 were made",
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
        TEST_LABELS,
        Sum {
            part: Part::Train,
            of: Summed::Encoded,
            sha256: "9566bf9672d2023fdf75e9f30051064955d113367ea7933a85a7dd03a58c3ffb",
        },
        Sum {
            part: Part::Train,
            of: Summed::Tracks,
            sha256: "3fde8588f10d9d273ea0a471b74af16f83ada16f91637f5501153ac62c8b88b3",
        },
        Sum {
            part: Part::Test,
            of: Summed::Encoded,
            sha256: "80eff11daa564d82a9812f58fdbafd15aa5fee6421e7793ea6a65de7eadda7d8",
        },
    ],
    proof: Proof::Sums,
    archives: &[],
};
