//! A file of NumPy's `savez`: arrays of images and labels, with or without a test part.

use std::io::{Cursor, Read};
use std::path::Path;

use brink_config::checked::Edge;
use zip::ZipArchive;

use super::arrays::{self, Axes};
use super::npy::Array;
use super::{Found, MOST, label, refused};
use crate::checksum::sha256;
use crate::{Error, Fault, Split, files};

/// The most that packing may save. Photographs and drawings stay far below.
const RATIO: u64 = 200;

/// The possible names of a part's images and labels.
type Names = &'static [[&'static str; 2]];

const TRAIN: Names = &[["x_train", "y_train"], ["train_images", "train_labels"]];
const TEST: Names = &[["x_test", "y_test"], ["test_images", "test_labels"]];
const ALL: Names = &[["x", "y"], ["images", "labels"]];

/// Reads the set in `file`.
pub(super) fn read(file: &Path, size: Option<Edge>) -> Result<Found, Error> {
    let bytes = files::whole(file, MOST).map_err(|fault| refused(file, fault))?;
    let parts = parts(&bytes, size).map_err(|fault| refused(file, fault))?;
    Ok(Found {
        train: parts.0,
        test: parts.1,
        sha256: sha256(&bytes),
        classes: None,
    })
}

/// The training images, or all, and the test images.
pub(super) fn parts(bytes: &[u8], size: Option<Edge>) -> Result<(Split, Option<Split>), Fault> {
    let damaged = |error: zip::result::ZipError| Fault::Array(format!("no zip archive: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let names = archive.file_names().map(|name| name.map(Into::into));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(damaged)?;
    let has = |pair: &&[&str; 2]| {
        let mut own = pair.iter().map(|name| format!("{name}.npy"));
        own.all(|own| names.contains(&own))
    };
    let [train, test, all] = [TRAIN, TEST, ALL].map(|part| part.iter().find(has));
    let mut split = |pair: &[&str; 2]| {
        let [images, labels] = [0, 1].map(|which| entry(&mut archive, pair[which]));
        part(&images?, &labels?, size).map_err(|fault| match fault {
            Fault::Array(what) => Fault::Array(format!("`{}` and `{}`: {what}", pair[0], pair[1])),
            other => other,
        })
    };
    match (train.zip(test), all) {
        (Some((train, test)), None) => Ok((split(train)?, Some(split(test)?))),
        (None, Some(all)) => Ok((split(all)?, None)),
        _ => Err(Fault::Array(format!(
            "its arrays are {}; name them `x` and `y`, or `x_train`, `y_train`, `x_test` and `y_test`",
            shown(&names)
        ))),
    }
}

fn shown(names: &[String]) -> String {
    /// A damaged directory may have any number.
    const SHOWN: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", name.trim_end_matches(".npy").escape_debug()))
        .collect();
    match names.len() {
        0 => "none".to_owned(),
        all if all > SHOWN => format!("{}, ...", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// The content of an array's file. Its length is checked before anything is unpacked.
fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, Fault> {
    let fault = |what: String| Fault::Array(format!("`{name}`: {what}"));
    let entry = archive.by_name(&format!("{name}.npy"));
    let entry = entry.map_err(|error| fault(error.to_string()))?;
    let most = MOST.min(entry.compressed_size().saturating_mul(RATIO) + (1 << 16));
    if entry.size() > most {
        return Err(Fault::Bomb);
    }
    let mut bytes = Vec::new();
    let read = entry.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| fault(error.to_string()))?;
    match bytes.len() as u64 > most {
        true => Err(Fault::Bomb),
        false => Ok(bytes),
    }
}

/// One part of the set.
fn part(images: &[u8], labels: &[u8], size: Option<Edge>) -> Result<Split, Fault> {
    let (images, labels) = (Array::read(images)?, Array::read(labels)?);
    if !matches!(labels.shape[..], [_] | [_, 1]) {
        return Err(Fault::Array(format!(
            "its labels have the shape {:?}; save one number an image",
            labels.shape
        )));
    }
    let numbered = labels.integers().enumerate();
    let labels: Vec<u16> = numbered
        .map(|(index, found)| label(index, found))
        .collect::<Result<_, _>>()?;
    let (found, channels, sides, axes) = match images.shape[..] {
        [n, h, w] => (n, 1, [h, w], Axes::ChannelsFirst),
        [_, 1 | 3, _, 1 | 3] => {
            return Err(Fault::Array(format!(
                "the axes of its images, {:?}, can be read in two ways; save (n, h, w) or larger images",
                images.shape
            )));
        }
        [n, h, w, c @ (1 | 3)] => (n, c, [h, w], Axes::ChannelsLast),
        [n, c @ (1 | 3), h, w] => (n, c, [h, w], Axes::ChannelsFirst),
        _ => {
            return Err(Fault::Array(format!(
                "its images have the shape {:?}; save (n, h, w), (n, h, w, 3) or (n, 3, h, w)",
                images.shape
            )));
        }
    };
    if found != labels.len() {
        let expected = labels.len();
        return Err(Fault::Count { found, expected });
    }
    let pixels = images.pixels()?;
    if pixels.is_empty() {
        return Err(Fault::NoImages);
    }
    arrays::split(pixels, labels, channels, sides, axes, size)
}
