//! What can be wrong with a data set. An [`Error`] says where, a [`Fault`] says what. Every message says what to do.
//!
//! A message is complete: it contains the underlying reason, so no error has a `source`.

use std::io;
use std::path::PathBuf;

use image::ImageError;
use parquet::errors::ParquetError;

use crate::Codec;
use crate::fetch::Problem;

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The set was not found.
    #[error("{absence}. To get the data set, {how_to_get}.")]
    NotFound {
        /// Where the program looked.
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
    /// The requested subset is larger than the split.
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
        /// The first class without an image.
        class: u32,
        /// The use of the missing image: `train on` or `validate with`.
        what: &'static str,
    },
    /// The set has no archive to download.
    #[error("{title} (`{name}`) cannot be downloaded by this program. To get it, {how_to_get}.")]
    NoArchive {
        /// Title of the set.
        title: &'static str,
        /// Identifier of the set.
        name: &'static str,
        /// The way to get the set.
        how_to_get: &'static str,
    },
    /// The given address is not the address of an archive.
    #[error(
        "{address} is not the address of a file on the network (http:// or https://). {by_hand}"
    )]
    Address {
        /// The given address.
        address: String,
        /// How to do it by hand.
        by_hand: String,
    },
    /// The disk has no room for a set.
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
        /// The address.
        url: String,
        /// What went wrong.
        problem: Box<Problem>,
        /// How to do it by hand.
        by_hand: String,
    },
    /// A file or folder of this program could not be written or read.
    #[error("{}: cannot be written ({reason}); check the permissions and the free space", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl Error {
    /// Whether another process is already fetching the set, so that nothing was started.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Download { problem, .. } if matches!(**problem, Problem::Busy))
    }
}

/// Why a data set was not found.
#[derive(Debug, thiserror::Error)]
pub enum Absence {
    /// The set is read from a data folder, and none was given.
    #[error("{title} is read from a data folder and none was given (`--data DIR` or BRINK_DATA)")]
    NoRoot {
        /// Title of the set.
        title: &'static str,
    },
    /// The data folder is not a folder.
    #[error("data folder {}: no such folder; create it, or name another with `--data DIR` or BRINK_DATA", root.display())]
    BadRoot {
        /// The given folder.
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
        /// What lies there instead, if it resembles the set. Starts with a colon.
        seen: Option<String>,
    },
}

/// What is wrong with a file of a data set.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file does not exist.
    #[error("missing")]
    Missing,
    /// The file cannot be read.
    #[error("cannot be read ({0})")]
    Read(io::Error),
    /// The length is wrong.
    #[error("{found} bytes long instead of {expected}")]
    Size {
        /// Length in bytes.
        found: u64,
        /// Expected length in bytes.
        expected: u64,
    },
    /// The file is too long.
    #[error("{found} bytes long; it may have at most {most}")]
    Long {
        /// Length in bytes.
        found: u64,
        /// The largest allowed length in bytes.
        most: u64,
    },
    /// The length is not a whole number of records.
    #[error("{found} bytes long, which is not a whole number of records of {record} bytes")]
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
        /// The largest valid label.
        last: usize,
    },
    /// The contents differ from the published ones.
    #[error("the sha256 of {what} is {found} instead of {expected}")]
    Checksum {
        /// The data that the checksum covers.
        what: String,
        /// Its checksum, in hex.
        found: String,
        /// The expected checksum, in hex.
        expected: String,
    },
    /// The file is truncated, or not a Parquet file that can be read.
    #[error("truncated or not readable as Parquet ({0})")]
    Parquet(ParquetError),
    /// A column is missing or has another type.
    #[error("no column {wanted}; its columns are {found}")]
    Column {
        /// The expected column.
        wanted: String,
        /// The columns of the file, with their types.
        found: String,
    },
    /// A column has an unsupported compression.
    #[error(
        "column `{column}` is compressed with {name}, which is not supported; write the file again with Snappy, or without compression"
    )]
    Compression {
        /// The column.
        column: String,
        /// The name of the compression.
        name: String,
    },
    /// A column cannot be read to its end.
    #[error("column `{column}` cannot be read from row {row} on ({reason})")]
    Cells {
        /// The column.
        column: String,
        /// The row, counted from 0.
        row: usize,
        /// The reader's reason.
        reason: ParquetError,
    },
    /// A row has no value in a column.
    #[error("row {row} has no value in column `{column}`")]
    Empty {
        /// The column.
        column: String,
        /// The row, counted from 0.
        row: usize,
    },
    /// The bytes are not a PNG or JPEG image.
    #[error("image {index} is neither PNG nor JPEG")]
    Unknown {
        /// Position of the image.
        index: usize,
    },
    /// An image has another format than expected.
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
    /// An image has another size than expected.
    #[error("image {index} is {} pixels wide and {} high instead of {} and {}", found.0, found.1, expected.0, expected.1)]
    Dimensions {
        /// Position of the image.
        index: usize,
        /// Width and height.
        found: (u32, u32),
        /// Expected width and height.
        expected: (u32, u32),
    },
    /// An image is too large, or has no pixels.
    #[error("image {index} is {} pixels wide and {} high; sides must be from 1 to {longest}", found.0, found.1)]
    Sides {
        /// Position of the image.
        index: usize,
        /// Width and height.
        found: (u32, u32),
        /// The longest side allowed.
        longest: u32,
    },
    /// An image has colours that cannot be converted to 8-bit RGB without loss.
    #[error("image {index} {what}; images must be grey or RGB with 8 bits a channel")]
    Colours {
        /// Position of the image.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A table is not text.
    #[error("not text (UTF-8)")]
    Text,
    /// A line of a table lacks a value.
    #[error("line {line} has no {missing}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The column.
        missing: &'static str,
    },
    /// A line of a table names a file outside the folder of the images.
    #[error("line {line} names the file {name}, which is not a plain file name")]
    Name {
        /// The line, counted from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A file name does not contain a track.
    #[error("the name {name} is not of the form <track>_<frame>")]
    Track {
        /// The name.
        name: String,
    },
    /// A file is damaged, or not a MATLAB file that can be read.
    #[error("not readable as a MATLAB file ({0})")]
    Matlab(&'static str),
    /// An archive cannot be unpacked.
    #[error("cannot be unpacked ({0})")]
    Unpack(io::Error),
    /// A file unpacks to far more than images do.
    #[error("it would unpack to more than 200 times its length, as no images do")]
    Bomb,
    /// The file ends within its head.
    #[error("it is cut short")]
    Short,
    /// A file of MNIST's format holds something else.
    #[error(
        "it begins with {found:#010x} instead of {expected:#010x}, so it is not the MNIST file of that name"
    )]
    Idx {
        /// The first number.
        found: u32,
        /// The expected number.
        expected: u32,
    },
    /// Arrays of NumPy cannot be read.
    #[error("not readable as arrays of images and labels: {0}")]
    Array(String),
    /// There are no images.
    #[error("it has no images")]
    NoImages,
    /// A file lies where the folder of a class should be.
    #[error("it is not the folder of a class")]
    NoFolder,
    /// A folder lies where an image should be.
    #[error("it is a folder within the folder of a class")]
    Nested,
    /// There are too few classes, or too many.
    #[error("it has {found} classes of images")]
    Classes {
        /// Their number.
        found: usize,
    },
    /// A class has no training image.
    #[error("no training image has label {label}, and there are {classes} classes")]
    Gap {
        /// The label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A share of a class rounds to no image, or to all.
    #[error("class {label} has too few images to make test images of a share of them")]
    NoTest {
        /// Its label.
        label: u32,
    },
    /// A share is to be tested with, of a set that has test images.
    #[error("it has test images of its own, and the grid asks for a share of the training images")]
    TwoTests,
    /// A test image has a class that no training image has.
    #[error("test images have label {label}, and no training image has")]
    Untrained {
        /// The label.
        label: u32,
    },
    /// No image shows anything.
    #[error("each of its {images} images has a single colour")]
    Blank {
        /// The number of images.
        images: usize,
    },
    /// The pixels do not fit into memory.
    #[error("its pixels take {bytes} bytes; at most {most} are read")]
    Memory {
        /// The bytes.
        bytes: u64,
        /// The most bytes.
        most: u64,
    },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Read(error),
        }
    }
}
