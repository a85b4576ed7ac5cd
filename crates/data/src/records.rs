//! CIFAR-10's official binary format. A record is one label byte and 3,072 pixel bytes (a red, a green and a blue plane).

use std::path::{Path, PathBuf};

use crate::{Error, Fault, Info, Split, files};

const SHAPE: [usize; 3] = [3, 32, 32];
const RECORD: usize = 1 + 3 * 32 * 32;
const CLASSES: usize = 10;

/// The files with training images, in order.
const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";

/// The folders to search, relative to the data folder. `fetch` unpacks to the first one.
pub(crate) const FOLDERS: &[&str] = &[
    "cifar-10-batches-bin",
    "",
    "cifar10",
    "cifar10/cifar-10-batches-bin",
];

/// Reads images of shape (3, 32, 32) from `bytes`: whole records in CIFAR-10's official binary format.
///
/// # Errors
/// If the length is not a multiple of 3,073 bytes, or a label is above 9.
pub fn binary_records(bytes: &[u8]) -> Result<Split, Fault> {
    if !bytes.len().is_multiple_of(RECORD) {
        return Err(Fault::Record {
            found: bytes.len(),
            record: RECORD,
        });
    }
    let mut pixels = Vec::with_capacity(bytes.len());
    let mut labels = Vec::with_capacity(bytes.len() / RECORD);
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[0]) >= CLASSES {
            return Err(Fault::Label {
                index,
                found: record[0].into(),
                last: CLASSES - 1,
            });
        }
        labels.push(record[0].into());
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(Split::new(SHAPE, pixels, labels))
}

/// Whether `folder` holds any of the six files.
pub(crate) fn present(folder: &Path) -> bool {
    TRAIN
        .iter()
        .chain([&TEST])
        .any(|name| folder.join(name).is_file())
}

/// Reads both splits from the six files in `folder`.
pub(crate) fn read(info: &Info, folder: &Path) -> Result<(Split, Split), Error> {
    let train = TRAIN.map(|name| folder.join(name));
    Ok((
        batches(info, &train, info.train)?,
        batches(info, &[folder.join(TEST)], info.test)?,
    ))
}

/// Reads one split of `images` images from `files`, which hold the same number of images each.
fn batches(info: &Info, files: &[PathBuf], images: usize) -> Result<Split, Error> {
    let expected = (images / files.len() * RECORD) as u64;
    let mut all = Split::with_capacity(SHAPE, images);
    for path in files {
        let batch = files::whole(path, expected).and_then(|bytes| match bytes.len() as u64 {
            found if found == expected => binary_records(&bytes),
            found => Err(Fault::Size { found, expected }),
        });
        all.append(&batch.map_err(|fault| info.fault(path, fault))?);
    }
    Ok(all)
}
