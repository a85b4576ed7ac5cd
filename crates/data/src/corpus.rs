//! Small valid inputs for every reader of this crate, and a fuzz test that damages them.
//!
//! For any bytes, a reader must return an error or a result of the right shape. It must not panic or allocate too much memory.

use std::io::{Cursor, Write};
use std::sync::Arc;

use image::{ImageFormat, RgbImage};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::decode::decode;
use crate::{
    Codec, Fault, Id, Info, Layout, Packed, Part, REGISTRY, encoded, gtsrb, matlab, records,
};

/// A valid input and its reader.
pub struct Seed {
    /// A name for messages.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
    /// Reads such bytes. The error is the message that a user would see.
    ///
    /// # Panics
    /// If the result does not have the right shape.
    pub read: fn(&[u8]) -> Result<(), String>,
}

/// One or more seeds for each reader.
pub fn seeds() -> Vec<Seed> {
    fn seed(name: &'static str, bytes: Vec<u8>, read: fn(&[u8]) -> Result<(), String>) -> Seed {
        Seed { name, bytes, read }
    }
    let rows: Vec<_> = (0..ROWS)
        .map(|i| (Some(photograph(i, ImageFormat::Png)), i as i64))
        .collect();
    let column = |name: &str| ColumnPath::new(vec!["img".into(), name.into()]);
    let [snappy, plain, delta] = [
        WriterProperties::builder().set_compression(Compression::SNAPPY),
        WriterProperties::builder().set_dictionary_enabled(false),
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_column_encoding(column("bytes"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_encoding(column("path"), Encoding::PLAIN),
    ]
    .map(|properties| parquet("img", &rows, properties.build()));
    let cifar: Vec<u8> = (0..3)
        .flat_map(|i| [vec![i as u8], planes(i)].concat())
        .collect();
    let ppm = [b"P6\n32 32\n255\n".as_slice(), &planes(5)].concat();
    let table = "Filename;Width;ClassId\n00000_00000.ppm;40;2\n00000_00001.ppm;41;3\n";
    let mat = matlab::file(&[("labels", &[1, 2, 3]), ("trnid", &[6765, 8189])]);
    vec![
        seed("Parquet with Snappy", snappy, read_parquet),
        seed("Parquet, plain", plain, read_parquet),
        seed("Parquet with deltas", delta, read_parquet),
        seed("PNG", photograph(1, ImageFormat::Png), |bytes| {
            read_image(bytes, Codec::Png)
        }),
        seed("JPEG", photograph(2, ImageFormat::Jpeg), |bytes| {
            read_image(bytes, Codec::Jpeg)
        }),
        seed("PPM", ppm, |bytes| read_image(bytes, Codec::Ppm)),
        seed("CIFAR-10's binary format", cifar, |bytes| {
            let split = records::binary_records(bytes).map_err(told)?;
            assert_eq!(split.len() * 3073, bytes.len());
            Ok(())
        }),
        seed("MATLAB", mat, |bytes| {
            let numbers = matlab::numbers(bytes, "labels").map_err(told)?;
            assert!(numbers.len() <= 1 << 24);
            Ok(())
        }),
        seed("GTSRB's table", table.into(), |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let rows = gtsrb::rows(Id::Gtsrb.info(), &text).map_err(told)?;
            assert!(rows.iter().all(|(_, label)| *label < 43));
            Ok(())
        }),
    ]
}

/// A Parquet file in Hugging Face's layout, with two rows per row group. Each row has an encoded image or an empty cell in
/// `column`, and a label.
///
/// # Panics
/// If `column` is not a valid name, or `properties` do not fit.
pub fn parquet(
    column: &str,
    rows: &[(Option<Vec<u8>>, i64)],
    properties: WriterProperties,
) -> Vec<u8> {
    const WHOLE: &str = "a file in memory is written";
    let schema = format!(
        "message schema {{ optional group {column} {{ optional binary bytes; optional binary path (UTF8); }}
         optional int64 label; }}"
    );
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let mut file = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).expect(WHOLE);
    for rows in rows.chunks(2) {
        let mut group = writer.next_row_group().expect(WHOLE);
        let there = || {
            rows.iter()
                .filter_map(|(image, label)| Some((image.as_ref()?, label)))
        };
        let images: Vec<ByteArray> = there().map(|(image, _)| image.clone().into()).collect();
        let levels = rows.iter().map(|(image, _)| 1 + i16::from(image.is_some()));
        let levels: Vec<i16> = levels.collect();
        write::<ByteArrayType>(&mut group, &images, &levels);
        let path = |label: &i64| format!("Train/{label}/{label:05}_{:05}_00000.png", label % 3);
        let paths: Vec<ByteArray> = there()
            .map(|(_, label)| path(label).into_bytes().into())
            .collect();
        write::<ByteArrayType>(&mut group, &paths, &levels);
        let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
        write::<Int64Type>(&mut group, &labels, &vec![1; rows.len()]);
        group.close().expect(WHOLE);
    }
    writer.close().expect(WHOLE);
    file
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: &[i16],
) {
    const FITS: &str = "values fit the schema";
    let mut column = group.next_column().expect(FITS).expect("a column is left");
    let cells = column.typed::<T>();
    cells.write_batch(values, Some(levels), None).expect(FITS);
    column.close().expect(FITS);
}

/// The planes of a 32x32 image. It is smooth, so that JPEG keeps it recognisable, and differs between channels.
pub fn planes(index: usize) -> Vec<u8> {
    let pixels = (0..3).flat_map(|c| {
        (0..32).flat_map(move |y| (0..32).map(move |x| (y * (2 + c) + x * 3 + index * 2) as u8))
    });
    pixels.collect()
}

/// The encoded image with these planes.
///
/// # Panics
/// If `format` cannot be written.
pub fn photograph(index: usize, format: ImageFormat) -> Vec<u8> {
    let planes = planes(index);
    let image = RgbImage::from_fn(32, 32, |x, y| {
        image::Rgb([0, 1, 2].map(|c| planes[(c * 32 + y as usize) * 32 + x as usize]))
    });
    let mut out = Cursor::new(Vec::new());
    image
        .write_to(&mut out, format)
        .expect("an image is encoded");
    out.into_inner()
}

const ROWS: usize = 4;

/// The registry entry for the Parquet files of the corpus.
static SET: Info = Info {
    train: ROWS,
    tracks: true,
    sums: &[],
    layouts: &[Layout::Parquet(Codec::Png)],
    packed: Packed::square(32),
    ..REGISTRY[Id::Cifar10 as usize]
};

fn read_parquet(bytes: &[u8]) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(bytes).map_err(|error| error.to_string())?;
    // `find` reads only the first image.
    let peeked = encoded::peek(&SET, file.path()).map_err(told);
    let files = [file.path().to_owned()];
    let (split, _) =
        encoded::read(&SET, Codec::Png, &files, Part::Train).map_err(|error| error.to_string())?;
    assert_eq!((split.len(), split.shape()), (ROWS, SET.shape));
    peeked.map(|_| ())
}

fn read_image(bytes: &[u8], codec: Codec) -> Result<(), String> {
    let shape = [3, 32, 32];
    let mut out = vec![0; 3 * 32 * 32];
    let stored = decode(bytes, codec, 0, Some([32, 32]), shape, &mut out);
    // An image in its own file may have any size.
    let resized = decode(bytes, codec, 0, None, shape, &mut out);
    assert!(
        stored.is_err() || resized.is_ok(),
        "refused, although any size is allowed"
    );
    resized.map_err(told)
}

fn told(fault: Fault) -> String {
    fault.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_inputs_are_read() {
        for seed in seeds() {
            assert_eq!((seed.read)(&seed.bytes), Ok(()), "{}", seed.name);
        }
    }

    #[test]
    fn fuzz() {
        let seeds = seeds();
        let (mut read, mut all) = (0, 0);
        for mut dice in fuzz::rounds(10_000) {
            let seed = &seeds[dice.below(seeds.len())];
            all += 1;
            match (seed.read)(&fuzz::damaged(&seed.bytes, &mut dice)) {
                Ok(()) => read += 1,
                Err(message) => {
                    assert!(!message.is_empty() && message.len() < 1000, "{message}");
                }
            }
        }
        // Otherwise the damage would be too weak, or always caught at the first byte.
        assert!(0 < read && read < all, "{read} of {all}");
    }
}
