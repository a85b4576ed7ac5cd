//! Images of one's own: a folder of photographs, a Parquet file, arrays of NumPy, MNIST's files or CIFAR-100's.
//!
//! Nothing about them is known beforehand, so nothing is guessed: images of several sizes, with transparency or with more than 8 bits
//! a channel are refused, and so are labels with gaps. The whole set is read at once, before any work.

mod arrays;
mod cifar100;
mod folder;
mod idx;
mod npy;
mod npz;
mod photographs;
mod spec;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;

use brink_config::checked::Minority;
use brink_random::Stream;

use crate::{Content, Dataset, Error, Facts, Fault, Split};

pub use spec::{Own, Place};

/// The most bytes of pixels in one set: all are in memory at once.
const MOST: u64 = 4 << 30;

/// The share of each class that becomes test images if the set has no test images of its own.
const TEST: Minority = Minority::literal(0.2);

/// A set of one's own.
#[derive(Clone, Debug)]
pub struct OwnSet {
    /// Its images.
    pub dataset: Dataset,
    /// The SHA-256 of its files in hex: of a folder, their names and their bytes; of a file, its bytes.
    pub sha256: String,
}

/// What a reader found.
struct Found {
    train: Split,
    /// The test images, if the set has a part for them.
    test: Option<Split>,
    /// As in [`OwnSet`].
    sha256: String,
    /// The number of classes, if the set names them. If not, the labels tell.
    classes: Option<usize>,
}

/// Reads and checks a set. A relative path is looked up in `root`.
///
/// # Errors
/// If anything about the set cannot be used. The message names the file and the fix.
pub fn open_own(own: &Own, root: Option<&Path>) -> Result<OwnSet, Error> {
    let path = root.map_or_else(|| own.path().to_owned(), |root| root.join(own.path()));
    if own.path().as_os_str().is_empty() || !path.exists() {
        let looked = match root {
            _ if own.path().is_absolute() => "",
            Some(_) => " A relative path is looked up in the data folder.",
            None => " A relative path is looked up in the data folder: name it by --data.",
        };
        return Err(error(
            &path,
            Fault::Missing,
            format!("Check the path.{looked}"),
        ));
    }
    let found = match &own.place {
        Place::Folder(_) => folder::read(&path, own.size)?,
        Place::Parquet { image, label, .. } => table::read(&path, image, label, own.size)?,
        Place::Npz(_) => npz::read(&path, own.size)?,
        Place::Idx(_) => idx::read(&path, own.size)?,
        Place::Cifar100(_) => cifar100::read(&path, own.size)?,
    };
    let refused = |fault, fix: &str| Err(error(&path, fault, fix.to_owned()));
    let classes = found.classes.unwrap_or_else(|| {
        let last = found.train.classes().last().copied();
        last.map_or(0, |last| last as usize + 1)
    });
    if classes < 2 {
        let fix = "A classifier needs images of at least two classes.";
        return refused(Fault::Classes { found: classes }, fix);
    }
    if let Some(label) = missing(&found.train, classes) {
        let fault = Fault::Gap { label, classes };
        return refused(fault, "Number the classes from 0 without gaps.");
    }
    let (train, test) = match (found.test, own.test) {
        (Some(_), Some(_)) => {
            return refused(Fault::TwoTests, "Delete `test` in the grid's `dataset`.");
        }
        (Some(test), None) => (found.train, test),
        (None, share) => {
            // The same images in every grid, whatever its seed: a model may be measured in several.
            let stream = &mut Stream::new(0).split("test images");
            let (train, test) = found.train.hold_out(share.unwrap_or(TEST), stream);
            if let Some(label) = missing(&train, classes).or(missing(&test, classes)) {
                let fix = "Add images, write another share as `test`, or give the set a test part of its own.";
                return refused(Fault::NoTest { label }, fix);
            }
            (train, test)
        }
    };
    if test.is_empty() {
        return refused(Fault::NoImages, "Add test images.");
    }
    if let Some(label) = test
        .classes()
        .last()
        .filter(|last| **last as usize >= classes)
    {
        let fault = Fault::Untrained { label: *label };
        return refused(
            fault,
            "Add training images of that class, or correct the labels.",
        );
    }
    let content = Content::unverified(&train, &test);
    if content.blank == content.images {
        let fix = "Check how the images were made.";
        return refused(
            Fault::Blank {
                images: content.images,
            },
            fix,
        );
    }
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    let facts = Facts {
        name: format!("own-{}", &found.sha256[..16]),
        title: title.into_owned(),
        classes,
        train: train.len(),
        test: test.len(),
        shape: train.shape(),
        tracks: false,
    };
    Ok(OwnSet {
        dataset: Dataset {
            facts,
            train,
            test,
            content,
        },
        sha256: found.sha256,
    })
}

/// The first label below `classes` that no image of `split` has.
fn missing(split: &Split, classes: usize) -> Option<u32> {
    let there = split.classes();
    (0..classes as u32).find(|label| !there.contains(label))
}

/// Checks the label of image `index`.
fn label(index: usize, found: i64) -> Result<u16, Fault> {
    u16::try_from(found).map_err(|_| Fault::Label {
        index,
        found,
        last: u16::MAX.into(),
    })
}

/// Checks that `images` images of shape `shape` fit into memory.
fn fits(images: usize, shape: [usize; 3]) -> Result<(), Fault> {
    let sides = shape.map(|side| side as u64);
    let bytes = sides
        .iter()
        .fold(images as u64, |all, side| all.saturating_mul(*side));
    match bytes > MOST {
        true => Err(Fault::Memory { bytes, most: MOST }),
        false => Ok(()),
    }
}

/// The error about `path`. The fix is a sentence.
fn error(path: &Path, fault: Fault, fix: String) -> Error {
    Error::File {
        path: path.to_owned(),
        fault: Box::new(fault),
        how_to_get: fix,
    }
}

/// The error about a file at `path`, with the usual fix of its fault.
fn refused(path: &Path, fault: Fault) -> Error {
    let fix = match &fault {
        Fault::Dimensions { .. } => {
            "Write e.g. `size: 64` in the grid's `dataset`, to resize all images."
        }
        Fault::Colours { .. } => "Convert the image, or move it out of the set.",
        Fault::Memory { .. } => {
            "Write a smaller `size` in the grid's `dataset`, or use fewer images."
        }
        Fault::Column { .. } => "Name other columns as `image` and `label`.",
        Fault::Compression { .. } => "Then run the same command again.",
        Fault::Missing => "Put it there, or check the path.",
        _ => "Repair it, or move it out of the set.",
    };
    error(path, fault, fix.to_owned())
}
