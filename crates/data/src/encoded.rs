//! Hugging Face's Parquet layout: each row an encoded image (`img` or `image`: struct of `bytes` and `path`) and a `label`.
//!
//! The JPEG standard leaves a decoder some freedom in rounding. `image` decodes with zune-jpeg; over the 60,000 images of
//! `cifar10-jpeg` its pixels and those of libjpeg-turbo 3.2 (fancy upsampling, through Pillow 13) are equal in 78.3 %, one level
//! apart in 13.4 %, two in 8.2 %, more in 0.06 % and never more than five; the mean difference is 0.30 levels. That is rounding:
//! both smooth the chroma planes in the same way.

use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::{ImageFormat, ImageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;

use crate::checksum::Hasher;
use crate::{Codec, Error, Fault, Info, Split};

const IMAGE: (&str, &[&str]) = (
    "`img` or `image` of encoded images",
    &["img.bytes", "image.bytes"],
);
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

/// How the first image of a file is encoded; `None` if it has none of the set's width and height in a format that we know.
///
/// # Errors
/// If the file is no Parquet file with encoded images.
pub(crate) fn peek(info: &Info, path: &Path) -> Result<Option<Codec>, Fault> {
    guarded(|| {
        let first = Shard::open(path)?.column::<ByteArrayType>(0, IMAGE, 1)?;
        Ok(first.first().and_then(|bytes| {
            let codec = codec(bytes.data())?;
            let reader = ImageReader::with_format(Cursor::new(bytes.data()), format(codec));
            (reader.into_dimensions().ok()? == size(info.shape)).then_some(codec)
        }))
    })
}

/// The split of `expected` images in `files`, and the checksum of its encoded images.
pub(crate) fn read(
    info: &Info,
    codec: Codec,
    files: &[PathBuf],
    expected: usize,
) -> Result<(Split, String), Error> {
    let (mut pixels, mut labels, mut sum) = (Vec::new(), Vec::new(), Hasher::default());
    for path in files {
        guarded(|| read_shard(path, info, codec, &mut pixels, &mut labels, &mut sum))
            .map_err(|fault| info.fault(path, fault))?;
    }
    if labels.len() != expected {
        let place = files.last().map_or(Path::new(""), PathBuf::as_path);
        return Err(info.fault(
            place,
            Fault::Count {
                found: labels.len(),
                expected,
            },
        ));
    }
    Ok((Split::new(info.shape, pixels, labels), sum.hex()))
}

/// Runs `read` and makes an error of a panic, which is how `parquet` answers to some damaged directories.
fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Fault::Parquet(ParquetError::General(
            "damaged directory".into(),
        )))
    })
}

/// Appends the images and labels of one file.
fn read_shard(
    path: &Path,
    info: &Info,
    codec: Codec,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u16>,
    sum: &mut Hasher,
) -> Result<(), Fault> {
    let shard = Shard::open(path)?;
    let image = info.shape.iter().product::<usize>();
    let mut before = 0;
    for group in 0..shard.0.num_row_groups() {
        let numbers = shard.column::<Int64Type>(group, LABEL, usize::MAX)?;
        let encoded = shard.column::<ByteArrayType>(group, IMAGE, usize::MAX)?;
        for (row, &found) in numbers.iter().enumerate() {
            let label = u16::try_from(found)
                .ok()
                .filter(|&label| usize::from(label) < info.classes);
            labels.push(label.ok_or(Fault::Label {
                index: before + row,
                found,
                last: info.classes - 1,
            })?);
        }
        encoded.iter().for_each(|bytes| sum.update(bytes.data()));
        let start = pixels.len();
        pixels.resize(start + encoded.len() * image, 0);
        let rows = encoded
            .par_iter()
            .zip(pixels[start..].par_chunks_mut(image))
            .enumerate();
        rows.try_for_each(|(row, (bytes, out))| {
            decode(bytes.data(), codec, before + row, info.shape, out)
        })?;
        before += encoded.len();
    }
    Ok(())
}

/// Decodes image `index` into `out`, `(c, h, w)`.
fn decode(
    bytes: &[u8],
    expected: Codec,
    index: usize,
    shape: [usize; 3],
    out: &mut [u8],
) -> Result<(), Fault> {
    if codec(bytes) != Some(expected) {
        return Err(Fault::Codec { index, expected });
    }
    let image = image::load_from_memory_with_format(bytes, format(expected))
        .map_err(|reason| Fault::Decode { index, reason })?
        .into_rgb8();
    let [channels, height, width] = shape;
    let size = size(shape);
    if image.dimensions() != size {
        return Err(Fault::Dimensions {
            index,
            found: image.dimensions(),
            expected: size,
        });
    }
    for (channel, plane) in out.chunks_mut(height * width).enumerate() {
        let values = image.as_raw().iter().skip(channel).step_by(channels);
        plane
            .iter_mut()
            .zip(values)
            .for_each(|(pixel, value)| *pixel = *value);
    }
    Ok(())
}

/// The encoding of an image, told by its first bytes.
fn codec(bytes: &[u8]) -> Option<Codec> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Codec::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(Codec::Jpeg)
    } else {
        None
    }
}

/// Width and height of an image of `shape` `(c, h, w)`.
fn size([_, height, width]: [usize; 3]) -> (u32, u32) {
    (width as u32, height as u32)
}

fn format(codec: Codec) -> ImageFormat {
    match codec {
        Codec::Png => ImageFormat::Png,
        Codec::Jpeg => ImageFormat::Jpeg,
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
