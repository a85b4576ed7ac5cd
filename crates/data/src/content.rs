//! The content of a set, whatever its files are called, and whether it is verified to be the official one.
//!
//! If checksums of all pixels are known, the registry has them. Otherwise `fetch` compares the archives with their published
//! checksums, and leaves a receipt beside the unpacked files. Content that is not verified is used all the same, and every
//! table says so.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::checksum::{Hasher, sha1};
use crate::{Info, Proof, Split, files};

/// A summary of the pixels and labels of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// SHA-256 in hex, over the labels of the training images (one byte each, two if a label is above 255) and their pixels `(n, c, h, w)`, then the same of
    /// the test images.
    pub sha256: String,
    /// Whether the content is verified to be the official one. For a packed set: the one that datasets.md documents.
    pub verified: bool,
    /// The number of images in both parts.
    pub images: usize,
    /// The number of images with a single colour; 0 (not counted) if the content is verified.
    pub blank: usize,
    /// The number of other images that equal an earlier one of their part; 0 (not counted) if the content is verified.
    pub repeated: usize,
}

impl Content {
    /// The content of a set that has passed the registry's checksums. `folder` is its folder, unless it is embedded.
    pub(crate) fn of(info: &Info, folder: Option<&Path>, train: &Split, test: &Split) -> Self {
        let sha256 = sum(train, test);
        let verified = match info.proof {
            Proof::Sums => true,
            Proof::Batches(sums) => batches(sums.len(), train, test) == sums,
            Proof::Archives => false,
        } || folder.is_some_and(|folder| receipt(folder).as_ref() == Some(&sha256));
        match verified {
            true => Self {
                sha256,
                verified,
                images: train.len() + test.len(),
                blank: 0,
                repeated: 0,
            },
            false => Self::unverified(train, test),
        }
    }

    /// The content of a set that nothing is known of.
    pub(crate) fn unverified(train: &Split, test: &Split) -> Self {
        let [(blank, repeated), (more, again)] = [train, test].map(degenerate);
        Self {
            sha256: sum(train, test),
            verified: false,
            images: train.len() + test.len(),
            blank: blank + more,
            repeated: repeated + again,
        }
    }
}

/// The checksum of labels and pixels; see [`Content::sha256`].
fn sum(train: &Split, test: &Split) -> String {
    let mut hasher = Hasher::default();
    for split in [train, test] {
        hasher.update(&split.label_bytes());
        hasher.update(split.pixels());
    }
    hasher.hex()
}

/// The receipt: a file in a set's folder with the checksum of the content that `fetch` unpacked from verified archives.
const RECEIPT: &str = "verified.sha256";

/// The checksum in a folder's receipt, if it has one.
fn receipt(folder: &Path) -> Option<String> {
    let bytes = files::whole(&folder.join(RECEIPT), files::HEAVIEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// Writes the receipt for `content`, which came from verified archives, into `folder`.
pub(crate) fn write_receipt(folder: &Path, info: &Info, content: &Content) -> io::Result<()> {
    let text = format!(
        "{}  pixels and labels of {}, as read out of archives with the published checksums\n",
        content.sha256, info.name
    );
    fs::write(folder.join(RECEIPT), text)
}

/// The checksums that the official binary files with these images would have: `files - 1` files with equal numbers of training
/// images, and one with the test images.
fn batches(files: usize, train: &Split, test: &Split) -> Vec<String> {
    let each = train.len() / (files - 1);
    let ranges = (0..files - 1).map(|file| file * each..(file + 1) * each);
    let sums = ranges.map(|images| batch(train, images));
    sums.chain([batch(test, 0..test.len())]).collect()
}

/// The checksum of a binary file with these images: for each image the label (one byte) and its planes.
fn batch(split: &Split, images: std::ops::Range<usize>) -> String {
    let labels = split.label_bytes();
    sha1(images.flat_map(|index| [&labels[index..=index], split.image(index)]))
}

/// Counts the images with a single colour, and the other images that equal an earlier one.
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
