//! What can be wrong with a data set: where ([`Error`]) and what ([`Fault`]), with the way out in the message.
//!
//! A message is whole: the underlying reason stands inside it, before the way out, and not in a chain of sources after it.

use std::io;
use std::path::PathBuf;

use image::ImageError;
use parquet::errors::ParquetError;

use crate::Codec;
use crate::fetch::Problem;

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The set is not there.
    #[error("{absence}. To get the data set, {how_to_get}.")]
    NotFound {
        /// Where it was missed.
        absence: Absence,
        /// The way to get the set.
        how_to_get: &'static str,
    },
    /// A file or folder of the set is not what it should be.
    #[error("{}: {fault}. {how_to_get}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        fault: Box<Fault>,
        /// The way to get the set.
        how_to_get: String,
    },
    /// A subset larger than the split was asked for.
    #[error(
        "a subset of {asked} images was asked for, and there are only {have}; ask for at most {have}"
    )]
    Subset {
        /// Images asked for.
        asked: usize,
        /// Images in the split.
        have: usize,
    },
    /// A share cannot be held out of every class.
    #[error(
        "with a share of {share} held out, class {class} has no image to {what}; hold out another share, or train on all (`validation`)"
    )]
    HoldOut {
        /// The share.
        share: f64,
        /// The first class of which there is nothing.
        class: u32,
        /// For what: `train on` or `validate with`.
        what: &'static str,
    },
    /// The set has no archive to be downloaded.
    #[error("{title} (`{name}`) cannot be downloaded by this program. To get it, {how_to_get}.")]
    NoArchive {
        /// Title of the set.
        title: &'static str,
        /// Identifier of the set.
        name: &'static str,
        /// The way to get the set.
        how_to_get: &'static str,
    },
    /// What was named is no address of an archive.
    #[error("{address} is no address of a file on the network (http:// or https://). {by_hand}")]
    Address {
        /// What was named.
        address: String,
        /// How to do it by hand.
        by_hand: String,
    },
    /// There is no room for a set.
    #[error("{}: the set needs at least {needed} bytes and {free} are free; make room, or name another folder with `--data`", path.display())]
    Space {
        /// The data folder.
        path: PathBuf,
        /// Bytes needed, at least.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// An archive could not be downloaded.
    #[error("{url}: {problem}. {by_hand}")]
    Download {
        /// The address asked.
        url: String,
        /// What went wrong.
        problem: Box<Problem>,
        /// How to do it by hand.
        by_hand: String,
    },
    /// A file or folder of our own could not be written or read.
    #[error("{}: cannot be written ({reason}); check the permissions and the free space", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl Error {
    /// Whether another process does the same, so that nothing was begun.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Download { problem, .. } if matches!(**problem, Problem::Busy))
    }
}

/// Where a data set was missed.
#[derive(Debug, thiserror::Error)]
pub enum Absence {
    /// It is read from a folder and none was named.
    #[error("{title} is read from a data folder and none was given (`--data DIR` or BRINK_DATA)")]
    NoRoot {
        /// Title of the set.
        title: &'static str,
    },
    /// The data folder is not a folder.
    #[error("data folder {}: no such folder; create it, or name another with `--data DIR` or BRINK_DATA", root.display())]
    BadRoot {
        /// The folder that was named.
        root: PathBuf,
    },
    /// No layout of the set lies under the data folder.
    #[error("{title} (`{name}`) is not in {}{}", root.display(), seen.as_deref().unwrap_or_default())]
    Elsewhere {
        /// Title of the set.
        title: &'static str,
        /// Identifier of the set.
        name: &'static str,
        /// The data folder.
        root: PathBuf,
        /// What lies there instead, if it resembles the set; starts with a colon.
        seen: Option<String>,
    },
}

/// What is wrong with a file of a data set.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It does not exist.
    #[error("missing")]
    Missing,
    /// It cannot be read.
    #[error("cannot be read ({0})")]
    Read(io::Error),
    /// Its length is wrong.
    #[error("{found} bytes long instead of {expected}")]
    Size {
        /// Length in bytes.
        found: u64,
        /// Expected length in bytes.
        expected: u64,
    },
    /// It is too long to be what it should be.
    #[error("{found} bytes long; it may have at most {most}")]
    Long {
        /// Length in bytes.
        found: u64,
        /// The most bytes allowed.
        most: u64,
    },
    /// Its length is no whole number of records.
    #[error("{found} bytes long, which is no whole number of records of {record} bytes")]
    Record {
        /// Length in bytes.
        found: usize,
        /// Length of a record in bytes.
        record: usize,
    },
    /// The number of images is wrong.
    #[error("{found} images instead of {expected}")]
    Count {
        /// Number of images.
        found: usize,
        /// Expected number of images.
        expected: usize,
    },
    /// A label is out of range.
    #[error("image {index} has label {found}; labels must be from 0 to {last}")]
    Label {
        /// Position of the image.
        index: usize,
        /// Its label.
        found: i64,
        /// The largest label there is.
        last: usize,
    },
    /// Its contents differ from the published ones.
    #[error("the sha256 of {what} is {found} instead of {expected}")]
    Checksum {
        /// What was summed.
        what: String,
        /// Its sum, in hex.
        found: String,
        /// The expected sum, in hex.
        expected: String,
    },
    /// It is truncated, or no Parquet file that can be read.
    #[error("truncated or not readable as Parquet ({0})")]
    Parquet(ParquetError),
    /// A column is missing or of another type.
    #[error("no column {wanted}; its columns are {found}")]
    Column {
        /// What is looked for.
        wanted: &'static str,
        /// The columns that there are, with their types.
        found: String,
    },
    /// A column that cannot be unpacked.
    #[error(
        "column `{column}` is compressed with {name}, which is not read here; write the file anew with Snappy, or without compression"
    )]
    Compression {
        /// The column.
        column: String,
        /// The name of the compression.
        name: String,
    },
    /// A column that cannot be read up to its end.
    #[error("column `{column}` cannot be read from row {row} on ({reason})")]
    Cells {
        /// The column.
        column: String,
        /// The row, counted from 0.
        row: usize,
        /// The reader's reason.
        reason: ParquetError,
    },
    /// A row without a value.
    #[error("row {row} has no value in column `{column}`")]
    Empty {
        /// The column.
        column: String,
        /// The row, counted from 0.
        row: usize,
    },
    /// Bytes that are no image.
    #[error("image {index} is neither PNG nor JPEG")]
    Unknown {
        /// Position of the image.
        index: usize,
    },
    /// An image is in another format than the others.
    #[error("image {index} is not {expected}-encoded")]
    Codec {
        /// Position of the image.
        index: usize,
        /// Expected format.
        expected: Codec,
    },
    /// An image cannot be decoded.
    #[error("image {index} cannot be decoded ({reason})")]
    Decode {
        /// Position of the image.
        index: usize,
        /// The decoder's reason.
        reason: ImageError,
    },
    /// An image of another size.
    #[error("image {index} is {} pixels wide and {} high instead of {} and {}", found.0, found.1, expected.0, expected.1)]
    Dimensions {
        /// Position of the image.
        index: usize,
        /// Width and height.
        found: (u32, u32),
        /// Expected width and height.
        expected: (u32, u32),
    },
    /// An image that is too large, or has no pixels.
    #[error("image {index} is {} pixels wide and {} high; sides must be from 1 to {longest}", found.0, found.1)]
    Sides {
        /// Position of the image.
        index: usize,
        /// Width and height.
        found: (u32, u32),
        /// The longest side allowed.
        longest: u32,
    },
    /// An image whose colours are not those of the set.
    #[error("image {index} {what}; images must be grey or RGB with 8 bits a channel")]
    Colours {
        /// Position of the image.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A table that is no text.
    #[error("no text (UTF-8)")]
    Text,
    /// A line of a table lacks a value.
    #[error("line {line} has no {missing}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The column.
        missing: &'static str,
    },
    /// A line of a table names a file that is not in the folder of the table's images.
    #[error("line {line} names the file {name}, which is no plain file name")]
    Name {
        /// The line, counted from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A file name that tells no track.
    #[error("the name {name} is not of the form <track>_<frame>")]
    Track {
        /// The name.
        name: String,
    },
    /// No file of MATLAB's that can be read.
    #[error("not readable as a file of MATLAB ({0})")]
    Matlab(&'static str),
    /// An archive that cannot be unpacked.
    #[error("cannot be unpacked ({0})")]
    Unpack(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Read(error),
        }
    }
}
