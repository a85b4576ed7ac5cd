//! Reads one untrusted Parquet file. Every claimed size is checked before memory of that size is allocated. Every fault in a
//! column names the column and the row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use crate::Fault;

/// An expected column: its possible paths, its possible types, and a description for messages.
pub(crate) struct Wanted<'a> {
    pub(crate) paths: &'a [&'a str],
    pub(crate) types: &'static [Type],
    pub(crate) title: &'a str,
}

/// Encoded images.
pub(crate) const IMAGE: Wanted<'static> = Wanted {
    paths: &["img.bytes", "image.bytes"],
    types: &[Type::BYTE_ARRAY],
    title: "`img` or `image` of encoded images (a struct of `bytes` and `path`)",
};
/// File names of images.
pub(crate) const PATH: Wanted<'static> = Wanted {
    paths: &["img.path", "image.path"],
    types: &[Type::BYTE_ARRAY],
    title: "`path` of file names",
};
/// Labels.
pub(crate) const LABEL: Wanted<'static> = Wanted {
    paths: &["label"],
    types: &[Type::INT64, Type::INT32],
    title: "`label` of whole numbers",
};

/// An open Parquet file.
pub(crate) struct Shard {
    file: Arc<Chunks>,
    length: u64,
    directory: ParquetMetaData,
}

impl Shard {
    /// Opens a file and reads its directory (the Parquet footer).
    ///
    /// # Errors
    /// If the file cannot be opened or is not a Parquet file.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path)?;
        let directory = ParquetMetaDataReader::new().parse_and_finish(&file);
        Ok(Self {
            directory: directory.map_err(Fault::Parquet)?,
            length: file.len(),
            file: Arc::new(Chunks(file)),
        })
    }

    /// The number of rows of each row group.
    ///
    /// # Errors
    /// If the directory claims a negative number.
    pub(crate) fn groups(&self) -> Result<Vec<usize>, Fault> {
        let rows = self.directory.row_groups().iter();
        let rows = rows.map(|group| usize::try_from(group.num_rows()));
        let rows: Result<_, _> = rows.collect();
        rows.map_err(|_| Fault::Parquet(damaged("a negative number of rows")))
    }

    /// The binary values of a column in a row group. The group begins at row `first` of the file.
    ///
    /// # Errors
    /// If there is no such column, or it cannot be read.
    pub(crate) fn binary(
        &self,
        wanted: &Wanted<'_>,
        group: usize,
        first: usize,
    ) -> Result<Cells<ByteArrayType>, Fault> {
        self.cells(self.index(wanted)?, group, first)
    }

    /// The labels in a row group. The group begins at row `first` of the file.
    ///
    /// # Errors
    /// Like [`Shard::binary`].
    pub(crate) fn labels(
        &self,
        wanted: &Wanted<'_>,
        group: usize,
        first: usize,
    ) -> Result<Labels, Fault> {
        let index = self.index(wanted)?;
        Ok(match self.columns()[index].physical_type() {
            Type::INT32 => Labels::Short(self.cells(index, group, first)?),
            _ => Labels::Long(self.cells(index, group, first)?),
        })
    }

    fn columns(&self) -> &[ColumnDescPtr] {
        self.directory.file_metadata().schema_descr().columns()
    }

    /// The index of a column.
    fn index(&self, wanted: &Wanted<'_>) -> Result<usize, Fault> {
        let fits = |column: &ColumnDescPtr| {
            wanted.paths.contains(&column.path().string().as_str())
                && wanted.types.contains(&column.physical_type())
                && column.max_rep_level() == 0
        };
        let columns = self.columns();
        columns.iter().position(fits).ok_or_else(|| {
            /// An unrelated table may have hundreds of columns.
            const SHOWN: usize = 8;
            let name = |column: &ColumnDescPtr| {
                format!("`{}` ({})", column.path().string(), column.physical_type())
            };
            let mut found: Vec<String> = columns.iter().take(SHOWN).map(name).collect();
            if columns.len() > SHOWN {
                found.push("...".into());
            }
            Fault::Column {
                wanted: wanted.title.to_owned(),
                found: found.join(", "),
            }
        })
    }

    fn cells<T: DataType>(
        &self,
        index: usize,
        group: usize,
        first: usize,
    ) -> Result<Cells<T>, Fault> {
        let column = self.columns()[index].clone();
        let (name, levels) = (column.path().string(), column.max_def_level());
        let fault = |reason| Fault::Cells {
            column: name.clone(),
            row: first,
            reason,
        };
        let group = self.directory.row_group(group);
        let chunk = group.column(index);
        if let other @ (Compression::GZIP(_)
        | Compression::BROTLI(_)
        | Compression::ZSTD(_)
        | Compression::LZ4
        | Compression::LZ4_RAW
        | Compression::LZO) = chunk.compression()
        {
            // Without the level: files do not store it.
            let name = other.to_string();
            let name = name.split('(').next().unwrap_or_default().to_owned();
            let column = column.path().string();
            return Err(Fault::Compression { column, name });
        }
        let start = chunk.dictionary_page_offset();
        let start = u64::try_from(start.unwrap_or(chunk.data_page_offset()));
        let length = u64::try_from(chunk.compressed_size());
        let end = start.ok().zip(length.ok());
        let end = end.and_then(|(start, length)| start.checked_add(length));
        if chunk.column_type() != T::get_physical_type() || end.is_none_or(|end| end > self.length)
        {
            return Err(fault(damaged("the directory contradicts the file")));
        }
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let pages = SerializedPageReader::new(self.file.clone(), chunk, rows, None);
        let pages = Pages {
            pages: pages.map_err(fault)?,
            levels: levels > 0,
            dictionary: false,
        };
        Ok(Cells {
            reader: ColumnReaderImpl::new(column, Box::new(pages)),
            name,
            present: levels,
            row: first,
        })
    }
}

/// The values of one column in one row group, read in batches.
pub(crate) struct Cells<T: DataType> {
    reader: ColumnReaderImpl<T>,
    name: String,
    /// The definition level of a cell that has a value.
    present: i16,
    /// The next row of the file.
    row: usize,
}

impl<T: DataType> Cells<T> {
    /// The values of the next `rows` rows. Fails if one of them has no value.
    pub(crate) fn next(&mut self, rows: usize) -> Result<Vec<T::T>, Fault> {
        let (mut values, mut levels, mut read) = (Vec::new(), Vec::new(), 0);
        while read < rows {
            let row = self.row + read;
            let fault = |reason| Fault::Cells {
                column: self.name.clone(),
                row,
                reason,
            };
            let more = self
                .reader
                .read_records(rows - read, Some(&mut levels), None, &mut values);
            match more.map_err(fault)?.0 {
                0 => return Err(fault(damaged("the column ends"))),
                more => read += more,
            }
        }
        if values.len() != rows {
            let empty = levels.iter().position(|level| *level != self.present);
            return Err(Fault::Empty {
                column: self.name.clone(),
                row: self.row + empty.unwrap_or_default(),
            });
        }
        self.row += rows;
        Ok(values)
    }
}

/// The labels in one row group, read in batches.
pub(crate) enum Labels {
    /// Integers of 64 bits.
    Long(Cells<Int64Type>),
    /// Integers of 32 bits or fewer.
    Short(Cells<Int32Type>),
}

impl Labels {
    /// Like [`Cells::next`].
    pub(crate) fn next(&mut self, rows: usize) -> Result<Vec<i64>, Fault> {
        match self {
            Self::Long(cells) => cells.next(rows),
            Self::Short(cells) => Ok(cells.next(rows)?.into_iter().map(i64::from).collect()),
        }
    }
}

/// The pages of a column. The library's decoders allocate memory for the counts that a page claims. So the counts of every page
/// are checked before the decoders see it.
struct Pages {
    pages: SerializedPageReader<Chunks>,
    /// Whether definition levels come before the values.
    levels: bool,
    /// Whether the dictionary page has been read.
    dictionary: bool,
}

impl Pages {
    fn check(&mut self, page: &Page) -> Parquet<()> {
        let (bytes, values) = (page.buffer(), page.num_values() as usize);
        // The number of bytes before the values, which the levels take.
        let before = match page {
            Page::DictionaryPage { .. } => {
                self.dictionary = true;
                if values > bytes.len() {
                    return Err(damaged("a dictionary of more values than bytes"));
                }
                Some(0)
            }
            Page::DataPage { .. } if self.levels => bytes
                .first_chunk()
                .map(|length| 4 + u32::from_le_bytes(*length) as usize),
            Page::DataPage { .. } => Some(0),
            Page::DataPageV2 {
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => Some(*def_levels_byte_len as usize + *rep_levels_byte_len as usize),
        };
        let Some(mut rest) = before.and_then(|before| bytes.get(before..)) else {
            return Err(damaged("a page that ends too early"));
        };
        match page.encoding() {
            Encoding::PLAIN => Ok(()),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY if self.dictionary => Ok(()),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                Err(damaged("a page without its dictionary"))
            }
            Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                // The head: block size, miniblocks per block, number of values.
                let head = [(); 3].map(|()| varint(&mut rest));
                match head[2] {
                    Some(claimed) if claimed <= values as u64 => Ok(()),
                    _ => Err(damaged("a page with a wrong number of values")),
                }
            }
            other => Err(ParquetError::NYI(format!(
                "the encoding {other} is not supported; write the column with dictionary or plain encoding"
            ))),
        }
    }
}

impl Iterator for Pages {
    type Item = Parquet<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Parquet<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.as_ref().map_or(Ok(()), |page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Parquet<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Parquet<()> {
        self.pages.skip_next_page()
    }
}

/// The file that pages are read from.
struct Chunks(File);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<File>;

    /// A reader at `start`, where a page begins. The page's claimed size is checked first, because the library allocates the
    /// unpacked page before it reads.
    fn get_read(&self, start: u64) -> Parquet<Self::T> {
        let mut head = Vec::new();
        self.0.get_read(start)?.take(HEAD).read_to_end(&mut head)?;
        match sizes(&head) {
            Some((unpacked, packed)) if unpacked <= 64 * packed + SLACK => self.0.get_read(start),
            _ => Err(damaged("a page that claims more than Snappy can hold")),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Parquet<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Bytes to read of a page's head: more than its first three fields take.
const HEAD: u64 = 24;

/// Bytes that a page may unpack to in addition to 64 times its packed size. Snappy needs three bytes for a copy of 64.
const SLACK: u64 = 1 << 16;

/// The size of a page in bytes, unpacked and packed, according to its head. The head is a struct in Thrift's compact protocol.
/// Its first three fields are 32-bit integers: the page's type, the unpacked size and the packed size.
fn sizes(mut head: &[u8]) -> Option<(u64, u64)> {
    /// The tag of a 32-bit integer in the field that follows the previous one.
    const NEXT: u8 = 0x15;
    let mut number = || {
        let (field, rest) = head.split_first()?;
        head = rest;
        // Zigzag encoding: the lowest bit is the sign.
        let value = (*field == NEXT).then(|| varint(&mut head))??;
        (value & 1 == 0).then_some(value >> 1)
    };
    let (_type, unpacked, packed) = (number()?, number()?, number()?);
    Some((unpacked, packed))
}

/// Removes a varint from the front of `bytes`: seven bits per byte, the lowest first. The highest bit says that more follow.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.into())
}
