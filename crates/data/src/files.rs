//! Sets with one file per image, as the authors of GTSRB and Flowers-102 publish them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::decode::decode;
use crate::{Codec, Error, Fault, Info, Part, Split};

/// The longest image file or table, in bytes.
pub(crate) const HEAVIEST: u64 = 1 << 24;

/// The contents of a file of at most `most` bytes. The length is checked before the file is read.
pub(crate) fn whole(path: &Path, most: u64) -> Result<Vec<u8>, Fault> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(Fault::Read(io::Error::other("it is not a regular file")));
    }
    match about.len() {
        found if found > most => Err(Fault::Long { found, most }),
        _ => Ok(fs::read(path)?),
    }
}

/// One image file.
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) label: u16,
    pub(crate) group: Option<u32>,
}

/// Reads one part of the set: the images `items` in `folder`, resized to the set's shape.
pub(crate) fn read(
    info: &Info,
    codec: Codec,
    folder: &Path,
    items: &[Item],
    part: Part,
) -> Result<Split, Error> {
    let (found, expected) = (items.len(), info.images(part));
    if found != expected {
        return Err(info.fault(folder, Fault::Count { found, expected }));
    }
    let image = info.shape.iter().product::<usize>();
    let mut pixels = vec![0; items.len() * image];
    let rows = items.par_iter().zip(pixels.par_chunks_mut(image));
    let fault = rows.enumerate().find_map_first(|(index, (item, out))| {
        whole(&item.path, HEAVIEST)
            .and_then(|bytes| decode(&bytes, codec, index, None, info.shape, out))
            .map_err(|fault| info.fault(&item.path, fault))
            .err()
    });
    fault.map_or(Ok(()), Err)?;
    let split = Split::new(
        info.shape,
        pixels,
        items.iter().map(|item| item.label).collect(),
    );
    Ok(split.with_groups(items.iter().filter_map(|item| item.group).collect()))
}
