//! MNIST's format: a file of images and a file of labels for training, and two for testing. A file is a head of numbers (four bytes
//! each, the highest first), then a byte per pixel or label. It may be packed with gzip.

use std::io::Read;
use std::path::{Path, PathBuf};

use brink_config::checked::Edge;
use flate2::read::GzDecoder;

use super::arrays::{self, Axes};
use super::{Found, refused};
use crate::checksum::Hasher;
use crate::{Error, Fault, Split, files};

/// The longest file, in bytes, packed or not: twenty times MNIST's.
const HEAVIEST: u64 = 1 << 30;

/// The most that gzip may save: MNIST's files become five times smaller.
const RATIO: u64 = 200;

/// The first number of a file: bytes in so many dimensions.
const IMAGES: u32 = 0x803;
const LABELS: u32 = 0x801;

/// Reads the set in `folder`.
pub(super) fn read(folder: &Path, size: Option<Edge>) -> Result<Found, Error> {
    let mut hasher = Hasher::default();
    let mut part = |name: &str| {
        let mut content = |kind: &str| {
            let path = place(folder, &format!("{name}-{kind}"));
            let bytes = files::whole(&path, HEAVIEST)
                .and_then(unpacked)
                .map_err(|fault| refused(&path, fault))?;
            hasher.update(&bytes);
            Ok((path, bytes))
        };
        let (at, images) = content("images-idx3-ubyte")?;
        let (labels_at, labels) = content("labels-idx1-ubyte")?;
        let labels = numbers(&labels).map_err(|fault| refused(&labels_at, fault))?;
        split(&images, labels, size).map_err(|fault| refused(&at, fault))
    };
    Ok(Found {
        train: part("train")?,
        test: Some(part("t10k")?),
        sha256: hasher.hex(),
        classes: None,
    })
}

/// The file `name` in `folder`. It may have a dot before `idx`, and may be packed.
fn place(folder: &Path, name: &str) -> PathBuf {
    let dotted = name.replace("-idx", ".idx");
    let names = [name, &dotted].map(|name| [name.to_owned(), format!("{name}.gz")]);
    let mut paths = names.iter().flatten().map(|name| folder.join(name));
    paths
        .find(|path| path.is_file())
        .unwrap_or_else(|| folder.join(name))
}

/// The content of a file with these bytes, unpacked if the first ones are gzip's.
pub(super) fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let most = HEAVIEST.min(RATIO * bytes.len() as u64);
    let mut content = Vec::new();
    let read = GzDecoder::new(bytes.as_slice())
        .take(most + 1)
        .read_to_end(&mut content);
    read.map_err(Fault::Unpack)?;
    match content.len() as u64 > most {
        true => Err(Fault::Bomb),
        false => Ok(content),
    }
}

/// The dimensions and the bytes of a file that begins with `kind`.
fn array<const DIMENSIONS: usize>(
    bytes: &[u8],
    kind: u32,
) -> Result<([usize; DIMENSIONS], &[u8]), Fault> {
    let mut rest = bytes;
    let mut number = || {
        let (head, tail) = rest.split_first_chunk()?;
        rest = tail;
        Some(u32::from_be_bytes(*head))
    };
    match number() {
        Some(found) if found == kind => {}
        Some(found) => {
            return Err(Fault::Idx {
                found,
                expected: kind,
            });
        }
        None => return Err(Fault::Short),
    }
    let mut dimensions = [0; DIMENSIONS];
    for side in &mut dimensions {
        *side = number().ok_or(Fault::Short)? as usize;
    }
    let product = dimensions
        .iter()
        .try_fold(1usize, |all, side| all.checked_mul(*side));
    match product.map(|product| product as u64) {
        Some(expected) if expected == rest.len() as u64 => Ok((dimensions, rest)),
        expected => Err(Fault::Size {
            found: rest.len() as u64,
            expected: expected.unwrap_or(u64::MAX),
        }),
    }
}

/// The labels in a file.
pub(super) fn numbers(bytes: &[u8]) -> Result<Vec<u16>, Fault> {
    let (_, labels) = array::<1>(bytes, LABELS)?;
    Ok(labels.iter().map(|&label| label.into()).collect())
}

/// The images in a file, with `labels`.
pub(super) fn split(bytes: &[u8], labels: Vec<u16>, size: Option<Edge>) -> Result<Split, Fault> {
    let ([found, height, width], pixels) = array::<3>(bytes, IMAGES)?;
    if found != labels.len() {
        let expected = labels.len();
        return Err(Fault::Count { found, expected });
    }
    if pixels.is_empty() {
        return Err(Fault::NoImages);
    }
    arrays::split(
        pixels,
        labels,
        1,
        [height, width],
        Axes::ChannelsFirst,
        size,
    )
}
