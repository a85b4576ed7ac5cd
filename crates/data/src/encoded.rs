//! Hugging Face's Parquet layout: each row an encoded image (`img` or `image`: struct of `bytes` and `path`) and a `label`.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;

use crate::checksum::Hasher;
use crate::decode::{decode, peek as peek_image};
use crate::{Codec, Error, Fault, Info, Part, Split, gtsrb};

const IMAGE: (&str, &[&str]) = (
    "`img` or `image` of encoded images",
    &["img.bytes", "image.bytes"],
);
const PATH: (&str, &[&str]) = ("`path` of file names", &["img.path", "image.path"]);
const LABEL: (&str, &[&str]) = ("`label` of 64-bit integers", &["label"]);

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

/// How the first image of a file is encoded; `None` if it has none of the size that the set is packed in, or in a format that
/// we do not know.
///
/// # Errors
/// If the file is no Parquet file with encoded images.
pub(crate) fn peek(info: &Info, path: &Path) -> Result<Option<Codec>, Fault> {
    guarded(|| {
        let first = Shard::open(path)?.column::<ByteArrayType>(0, IMAGE, 1)?;
        Ok(first
            .first()
            .and_then(|bytes| peek_image(bytes.data(), info.packed.size)))
    })
}

/// One part of the set out of `files`, and the checksum of its encoded images.
pub(crate) fn read(
    info: &Info,
    codec: Codec,
    files: &[PathBuf],
    part: Part,
) -> Result<(Split, String), Error> {
    let mut rows = Rows::default();
    for path in files {
        guarded(|| rows.append(path, info, codec, info.tracks && part == Part::Train))
            .map_err(|fault| info.fault(path, fault))?;
    }
    let (found, expected) = (rows.labels.len(), info.images(part));
    if found != expected {
        let place = files.last().map_or(Path::new(""), PathBuf::as_path);
        return Err(info.fault(place, Fault::Count { found, expected }));
    }
    let split = Split::new(info.shape, rows.pixels, rows.labels);
    Ok((split.with_groups(rows.groups), rows.sum.hex()))
}

/// Runs `read` and makes an error of a panic, which is how `parquet` answers to some damaged directories.
fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Fault::Parquet(ParquetError::General(
            "damaged directory".into(),
        )))
    })
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
    /// Appends the images and labels of one file, and with `tracks` the groups that their names tell.
    fn append(
        &mut self,
        path: &Path,
        info: &Info,
        codec: Codec,
        tracks: bool,
    ) -> Result<(), Fault> {
        let shard = Shard::open(path)?;
        let image = info.shape.iter().product::<usize>();
        let mut before = 0;
        for group in 0..shard.0.num_row_groups() {
            let numbers = shard.column::<Int64Type>(group, LABEL, usize::MAX)?;
            let encoded = shard.column::<ByteArrayType>(group, IMAGE, usize::MAX)?;
            let first = self.labels.len();
            for (row, &found) in numbers.iter().enumerate() {
                self.labels.push(info.label(before + row, found)?);
            }
            if tracks {
                let names = shard.column::<ByteArrayType>(group, PATH, usize::MAX)?;
                for (name, &label) in names.iter().zip(&self.labels[first..]) {
                    let name = String::from_utf8_lossy(name.data());
                    self.groups.push(gtsrb::group(&name, label)?);
                }
            }
            encoded
                .iter()
                .for_each(|bytes| self.sum.update(bytes.data()));
            let start = self.pixels.len();
            self.pixels.resize(start + encoded.len() * image, 0);
            let rows = encoded
                .par_iter()
                .zip(self.pixels[start..].par_chunks_mut(image))
                .enumerate();
            let stored = Some(info.packed.size);
            rows.try_for_each(|(row, (bytes, out))| {
                decode(bytes.data(), codec, before + row, stored, info.shape, out)
            })?;
            before += encoded.len();
        }
        Ok(())
    }
}

/// An open Parquet file.
struct Shard(SerializedFileReader<File>);

impl Shard {
    fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path)?;
        SerializedFileReader::new(file)
            .map(Self)
            .map_err(Fault::Parquet)
    }

    /// The values of a column in one row group, at most `limit`. The column is known by any of several dotted paths.
    fn column<T: DataType>(
        &self,
        group: usize,
        (title, paths): (&'static str, &[&str]),
        limit: usize,
    ) -> Result<Vec<T::T>, Fault> {
        let schema = self.0.metadata().file_metadata().schema_descr();
        let fits = |column: &parquet::schema::types::ColumnDescPtr| {
            paths.contains(&column.path().string().as_str())
                && column.physical_type() == T::get_physical_type()
                && column.max_rep_level() == 0
        };
        let index = schema
            .columns()
            .iter()
            .position(fits)
            .ok_or(Fault::Column(title))?;
        if self.0.num_row_groups() == 0 {
            return Ok(Vec::new());
        }
        let group = self.0.get_row_group(group).map_err(Fault::Parquet)?;
        let rows = usize::try_from(group.metadata().num_rows())
            .unwrap_or(0)
            .min(limit);
        let pages = group
            .get_column_page_reader(index)
            .map_err(Fault::Parquet)?;
        let mut reader = ColumnReaderImpl::<T>::new(schema.column(index), pages);
        let (mut values, mut levels, mut read) = (Vec::new(), Vec::new(), 0);
        while read < rows {
            let (records, ..) = reader
                .read_records(rows - read, Some(&mut levels), None, &mut values)
                .map_err(Fault::Parquet)?;
            if records == 0 {
                return Err(Fault::Parquet(ParquetError::EOF(format!(
                    "{read} of {rows} rows"
                ))));
            }
            read += records;
        }
        if values.len() < rows {
            Err(Fault::Empty(title))
        } else {
            Ok(values)
        }
    }
}
