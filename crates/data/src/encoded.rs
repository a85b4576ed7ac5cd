//! Hugging Face's Parquet layout: each row an encoded image (`img` or `image`: struct of `bytes` and `path`) and a `label`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::checksum::Hasher;
use crate::decode::{decode, peek as peek_image};
use crate::guard::guarded;
use crate::shard::{IMAGE, PATH, Shard};
use crate::{Codec, Error, Fault, Info, Part, Split, gtsrb};

/// Rows decoded at a time.
const BATCH: usize = 256;

/// The files in `folder` that make up a split (`train` or `test`), in the order of their names; empty if there are none.
pub(crate) fn shards(folder: &Path, split: &str) -> Vec<PathBuf> {
    let is_shard = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(split) && name.ends_with(".parquet")
    };
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_shard).collect();
    files.sort();
    files
}

/// How the first image of a file is encoded, as far as its head tells; `None` if the file has no rows.
///
/// # Errors
/// If the file is no Parquet file with encoded images of the size that the set is packed in.
pub(crate) fn peek(info: &Info, path: &Path) -> Result<Option<Codec>, Fault> {
    guarded(|| {
        let shard = Shard::open(path)?;
        let group = shard.groups()?.iter().position(|rows| *rows > 0);
        let first = |group| shard.binary(&IMAGE, group, 0)?.next(1);
        let first = group.map(first).transpose()?.unwrap_or_default();
        let first = first.first();
        first
            .map(|bytes| peek_image(bytes.data(), info.packed.size))
            .transpose()
    })
}

/// One part of the set out of `files`, and the checksum of its encoded images.
pub(crate) fn read(
    info: &Info,
    codec: Codec,
    files: &[PathBuf],
    part: Part,
) -> Result<(Split, String), Error> {
    let shards = files.iter().map(|path| {
        guarded(|| {
            let shard = Shard::open(path)?;
            let groups = shard.groups()?;
            Ok((shard, groups))
        })
        .map_err(|fault| info.fault(path, fault))
    });
    let shards: Vec<(Shard, Vec<usize>)> = shards.collect::<Result<_, _>>()?;
    let claimed = shards.iter().flat_map(|(_, groups)| groups);
    let claimed = claimed.fold(0_usize, |sum, rows| sum.saturating_add(*rows));
    let expected = info.images(part);
    let count = |found| {
        let place = files.last().map_or(Path::new(""), PathBuf::as_path);
        Err(info.fault(place, Fault::Count { found, expected }))
    };
    // Before any row is read: a damaged file may claim any number of them.
    if claimed > expected {
        return count(claimed);
    }
    let mut rows = Rows::default();
    for (path, (shard, groups)) in files.iter().zip(&shards) {
        guarded(|| {
            rows.append(
                shard,
                groups,
                info,
                codec,
                info.tracks && part == Part::Train,
            )
        })
        .map_err(|fault| info.fault(path, fault))?;
    }
    // After the rows: one that is damaged says more about a file than their number.
    if claimed < expected {
        return count(claimed);
    }
    let split = Split::new(info.shape, rows.pixels, rows.labels);
    Ok((split.with_groups(rows.groups), rows.sum.hex()))
}

/// What was read so far.
#[derive(Default)]
struct Rows {
    pixels: Vec<u8>,
    labels: Vec<u16>,
    groups: Vec<u32>,
    sum: Hasher,
}

impl Rows {
    /// Appends the images and labels of one file with `groups` of rows, and with `tracks` the tracks that their names tell.
    fn append(
        &mut self,
        shard: &Shard,
        groups: &[usize],
        info: &Info,
        codec: Codec,
        tracks: bool,
    ) -> Result<(), Fault> {
        let mut row = 0;
        for (group, &rows) in groups.iter().enumerate() {
            if rows == 0 {
                continue;
            }
            let mut labels = shard.labels(group, row)?;
            let mut images = shard.binary(&IMAGE, group, row)?;
            let mut names = tracks
                .then(|| shard.binary(&PATH, group, row))
                .transpose()?;
            let end = row + rows;
            while row < end {
                let batch = BATCH.min(end - row);
                let first = self.labels.len();
                for (index, found) in (row..).zip(labels.next(batch)?) {
                    self.labels.push(info.label(index, found)?);
                }
                if let Some(names) = &mut names {
                    let names = names.next(batch)?;
                    for (name, &label) in names.iter().zip(&self.labels[first..]) {
                        let name = String::from_utf8_lossy(name.data());
                        self.groups.push(gtsrb::group(&name, label)?);
                    }
                }
                let encoded = images.next(batch)?;
                let encoded: Vec<&[u8]> = encoded.iter().map(|bytes| bytes.data()).collect();
                self.decode(&encoded, info, codec, row)?;
                row += batch;
            }
        }
        Ok(())
    }

    /// Appends the pixels of images of one file, the first of which is in its row `row`.
    fn decode(
        &mut self,
        encoded: &[&[u8]],
        info: &Info,
        codec: Codec,
        row: usize,
    ) -> Result<(), Fault> {
        let image = info.shape.iter().product::<usize>();
        let start = self.pixels.len();
        self.pixels.resize(start + encoded.len() * image, 0);
        let images = encoded
            .par_iter()
            .zip(self.pixels[start..].par_chunks_mut(image))
            .enumerate();
        let stored = Some(info.packed.size);
        let fault = images.find_map_first(|(index, (bytes, out))| {
            decode(bytes, codec, row + index, stored, info.shape, out).err()
        });
        fault.map_or(Ok(()), Err)?;
        encoded.iter().for_each(|bytes| self.sum.update(bytes));
        Ok(())
    }
}
