//! What the images of a set are, whatever its files are called, and whether that was shown to be the official content.
//!
//! Where checksums of all pixels are known, the registry has them. Else the archives have published checksums: `fetch`
//! compares these, and leaves a receipt beside the files it unpacked. Content that neither shows is used all the same, and
//! every table says so.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::checksum::{Hasher, sha1};
use crate::{Info, Proof, Split, files};

/// The pixels and labels of a set, summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// SHA-256 in hex: of the training images all labels in order, a byte each, and all pixels, `(n, c, h, w)`; then of the
    /// test images the same.
    pub sha256: String,
    /// Whether it was shown to be the official content, or of a packed set that which datasets.md documents.
    pub verified: bool,
    /// Number of images in both parts.
    pub images: usize,
    /// How many of them are of a single colour. Not counted where the content is verified.
    pub blank: usize,
    /// How many of the others are equal, byte for byte, to an earlier one of their part. Not counted either.
    pub repeated: usize,
}

impl Content {
    /// The content of a set that lies in `folder`, if it lies in one, and that has passed the registry's checksums.
    pub(crate) fn of(info: &Info, folder: Option<&Path>, train: &Split, test: &Split) -> Self {
        let mut hasher = Hasher::default();
        for split in [train, test] {
            hasher.update(&split.label_bytes());
            hasher.update(split.pixels());
        }
        let sha256 = hasher.hex();
        let verified = match info.proof {
            Proof::Sums => true,
            Proof::Batches(sums) => batches(sums.len(), train, test) == sums,
            Proof::Archives => false,
        } || folder.is_some_and(|folder| receipt(folder).as_ref() == Some(&sha256));
        let (blank, repeated) = match verified {
            true => (0, 0),
            false => [train, test]
                .map(degenerate)
                .into_iter()
                .fold((0, 0), |(blank, repeated), (more, again)| {
                    (blank + more, repeated + again)
                }),
        };
        Self {
            sha256,
            verified,
            images: train.len() + test.len(),
            blank,
            repeated,
        }
    }
}

/// The file in a set's folder that tells the content which `fetch` unpacked from verified archives.
const RECEIPT: &str = "verified.sha256";

/// The sum in a folder's receipt, if it has one.
fn receipt(folder: &Path) -> Option<String> {
    let bytes = files::whole(&folder.join(RECEIPT), files::HEAVIEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// Writes the receipt of `content`, which came out of verified archives, into `folder`.
pub(crate) fn write_receipt(folder: &Path, info: &Info, content: &Content) -> io::Result<()> {
    let text = format!(
        "{}  pixels and labels of {}, as read out of archives with the published checksums\n",
        content.sha256, info.name
    );
    fs::write(folder.join(RECEIPT), text)
}

/// The sums of the official binary files that hold the images: `files - 1` of training images, equally many each, and one
/// of test images.
fn batches(files: usize, train: &Split, test: &Split) -> Vec<String> {
    let each = train.len() / (files - 1);
    let ranges = (0..files - 1).map(|file| file * each..(file + 1) * each);
    let sums = ranges.map(|images| batch(train, images));
    sums.chain([batch(test, 0..test.len())]).collect()
}

/// The sum of a file of these images: of each the label, a byte, and its planes.
fn batch(split: &Split, images: std::ops::Range<usize>) -> String {
    let labels = split.label_bytes();
    sha1(images.flat_map(|index| [&labels[index..=index], split.image(index)]))
}

/// How many images are of a single colour, and how many of the others are equal to an earlier one.
fn degenerate(split: &Split) -> (usize, usize) {
    let [_, height, width] = split.shape();
    let mut seen = HashSet::new();
    let (mut blank, mut repeated) = (0, 0);
    for index in 0..split.len() {
        let image = split.image(index);
        let mut planes = image.chunks(height * width);
        if planes.all(|plane| plane.iter().all(|pixel| *pixel == plane[0])) {
            blank += 1;
        } else if !seen.insert(image) {
            repeated += 1;
        }
    }
    (blank, repeated)
}
