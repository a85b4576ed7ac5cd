//! CIFAR-100, binary version. A record is a byte of the coarse class, a byte of the class, and 3,072 pixel bytes (a red, a green and
//! a blue plane).

use std::path::Path;

use brink_config::checked::Edge;

use super::arrays::{self, Axes};
use super::{Found, refused};
use crate::checksum::Hasher;
use crate::{Error, Fault, Split, files};

const SIDE: usize = 32;
const RECORD: usize = 2 + 3 * SIDE * SIDE;
const CLASSES: usize = 100;

/// The longest file: 50,000 records.
const HEAVIEST: u64 = 50_000 * RECORD as u64;

/// Reads the set in `folder`.
pub(super) fn read(folder: &Path, size: Option<Edge>) -> Result<Found, Error> {
    let mut hasher = Hasher::default();
    let mut part = |name: &str| {
        let path = folder.join(name);
        let read = files::whole(&path, HEAVIEST).and_then(|bytes| {
            hasher.update(&bytes);
            records(&bytes, size)
        });
        read.map_err(|fault| refused(&path, fault))
    };
    Ok(Found {
        train: part("train.bin")?,
        test: Some(part("test.bin")?),
        sha256: hasher.hex(),
        classes: Some(CLASSES),
    })
}

/// The images of whole records.
pub(super) fn records(bytes: &[u8], size: Option<Edge>) -> Result<Split, Fault> {
    if !bytes.len().is_multiple_of(RECORD) {
        return Err(Fault::Record {
            found: bytes.len(),
            record: RECORD,
        });
    }
    let (mut pixels, mut labels) = (Vec::with_capacity(bytes.len()), Vec::new());
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[1]) >= CLASSES {
            return Err(Fault::Label {
                index,
                found: record[1].into(),
                last: CLASSES - 1,
            });
        }
        labels.push(record[1].into());
        pixels.extend_from_slice(&record[2..]);
    }
    arrays::split(&pixels, labels, 3, [SIDE; 2], Axes::ChannelsFirst, size)
}
