//! A Parquet file with a column of encoded images and a column of labels.

use std::fs::File;
use std::path::Path;

use brink_config::checked::Edge;
use parquet::basic::Type;
use parquet::data_type::ByteArray;

use super::{Found, photographs, refused};
use crate::checksum::Hasher;
use crate::guard::guarded;
use crate::shard::{Shard, Wanted};
use crate::{Error, Fault, Split};

/// The longest file, in bytes. Its images are in memory at once.
const HEAVIEST: u64 = 4 << 30;

/// The rows read at a time: a page may claim more rows than it has.
const BATCH: usize = 256;

/// Reads the set in `file`.
pub(super) fn read(
    file: &Path,
    image: &str,
    label: &str,
    size: Option<Edge>,
) -> Result<Found, Error> {
    let fault = |fault| refused(file, fault);
    let sha256 = sum(file).map_err(fault)?;
    let (images, labels) = guarded(|| rows(file, image, label)).map_err(fault)?;
    if images.is_empty() {
        return Err(fault(Fault::NoImages));
    }
    let at = |_| file;
    let bytes = |index: usize| Ok(images[index].data());
    let (pixels, shape) = photographs::decode(images.len(), size, at, bytes)?;
    Ok(Found {
        train: Split::new(shape, pixels, labels),
        test: None,
        sha256,
        classes: None,
    })
}

/// The encoded images and the labels of all rows.
fn rows(file: &Path, image: &str, label: &str) -> Result<(Vec<ByteArray>, Vec<u16>), Fault> {
    let within = format!("{image}.bytes");
    let paths = [within.as_str(), image];
    let title = format!("`{image}` of encoded images (bytes, or a struct of `bytes` and `path`)");
    let images_of = Wanted {
        paths: &paths,
        types: &[Type::BYTE_ARRAY],
        title: &title,
    };
    let title = format!("`{label}` of whole numbers");
    let labels_of = Wanted {
        paths: &[label],
        types: &[Type::INT64, Type::INT32],
        title: &title,
    };
    let shard = Shard::open(file)?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for (group, rows) in shard.groups()?.into_iter().enumerate() {
        let first = images.len();
        if rows == 0 {
            continue;
        }
        let mut own_images = shard.binary(&images_of, group, first)?;
        let mut own_labels = shard.labels(&labels_of, group, first)?;
        while images.len() < first + rows {
            let batch = BATCH.min(first + rows - images.len());
            for (index, found) in (labels.len()..).zip(own_labels.next(batch)?) {
                labels.push(super::label(index, found)?);
            }
            images.extend(own_images.next(batch)?);
        }
    }
    Ok((images, labels))
}

/// The SHA-256 of a file.
fn sum(path: &Path) -> Result<String, Fault> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(Fault::Read(std::io::Error::other(
            "it is not a regular file",
        )));
    }
    if about.len() > HEAVIEST {
        return Err(Fault::Long {
            found: about.len(),
            most: HEAVIEST,
        });
    }
    let mut hasher = Hasher::default();
    std::io::copy(&mut &file, &mut hasher)?;
    Ok(hasher.hex())
}
