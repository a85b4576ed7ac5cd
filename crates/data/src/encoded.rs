//! Hugging Face's Parquet layout. A row has an encoded image (`img` or `image`: a struct of `bytes` and `path`) and a `label`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::checksum::Hasher;
use crate::decode::{decode, peek as peek_image};
use crate::guard::guarded;
use crate::shard::{IMAGE, LABEL, PATH, Shard};
use crate::{Codec, Error, Fault, Info, Part, Split, gtsrb};

/// The number of rows decoded at a time.
const BATCH: usize = 256;

/// The Parquet files in `folder` whose names begin with `split` (such as `train` or `test`), sorted by name.
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

/// The encoding of the first image of a file, from the image's head; `None` if the file has no rows.
///
/// # Errors
/// If the file is not a Parquet file, or its first image has another size than the set's packed images.
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

/// Reads one part of the set from `files`. Returns it with the checksum of its encoded images.
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
    // Checked before any row is read: a damaged file may claim any number of rows.
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
    // Checked after the rows: the message about a damaged row is more useful than a count.
    if claimed < expected {
        return count(claimed);
    }
    let split = Split::new(info.shape, rows.pixels, rows.labels);
    Ok((split.with_groups(rows.groups), rows.sum.hex()))
}

/// The rows read so far.
#[derive(Default)]
struct Rows {
    pixels: Vec<u8>,
    labels: Vec<u16>,
    groups: Vec<u32>,
    sum: Hasher,
}

impl Rows {
    /// Appends the images and labels of one file. `groups` has the number of rows of each row group. If `tracks` is set, also
    /// appends the tracks, which come from the image names.
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
            let mut labels = shard.labels(&LABEL, group, row)?;
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

    /// Decodes images of one file and appends their pixels. The first image is in row `row` of the file.
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
