//! Looks for a set under the data folder, reads it in the layout found, and checks it against its registry entry.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::checksum::sha256;
use crate::{
    Codec, Dataset, Error, Fault, Id, Info, Layout, Part, REGISTRY, Split, Summed, encoded,
    fashion, records,
};

/// Folders under the data folder in which the official binary batches are looked for; first where they are fetched to.
const RECORD_FOLDERS: [&str; 4] = [
    "cifar-10-batches-bin",
    "",
    "cifar10",
    "cifar10/cifar-10-batches-bin",
];

/// Whether a set can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is part of the program.
    Embedded,
    /// It lies in a folder; its contents have not been checked.
    Found {
        /// The folder.
        folder: PathBuf,
        /// How it is stored there.
        layout: Layout,
    },
    /// It is not there.
    NotFound {
        /// What was missed, and what to do.
        reason: String,
    },
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => Layout::Embedded.fmt(f),
            Self::Found { folder, layout } => write!(f, "{} ({layout})", folder.display()),
            Self::NotFound { reason } => f.write_str(reason),
        }
    }
}

/// Whether `id` is there, without reading more than a few kilobytes.
pub fn find(id: Id, root: Option<&Path>) -> Presence {
    match locate(id.info(), root) {
        Ok(Place::Embedded) => Presence::Embedded,
        Ok(Place::Records(folder)) => Presence::Found {
            folder,
            layout: Layout::Records,
        },
        Ok(Place::Parquet { folder, codec }) => Presence::Found {
            folder,
            layout: Layout::Parquet(codec),
        },
        Err(error) => Presence::NotFound {
            reason: error.to_string(),
        },
    }
}

/// Reads and checks `id`. Embedded sets need no `root`; others are looked for under it, in every layout that the registry
/// names.
///
/// # Errors
/// If the set is not there or anything about it is not as expected; the message says what to do.
pub fn open(id: Id, root: Option<&Path>) -> Result<Dataset, Error> {
    read(id.info(), root)
}

/// As [`open`], for an entry that need not be in the registry.
pub(crate) fn read(info: &'static Info, root: Option<&Path>) -> Result<Dataset, Error> {
    let (train, test) = match locate(info, root)? {
        Place::Embedded => fashion::read(info)?,
        Place::Records(folder) => {
            let (train, test) = records::read(info, &folder)?;
            check(info, Part::Train, &folder, &train, None)?;
            check(info, Part::Test, &folder, &test, None)?;
            (train, test)
        }
        Place::Parquet { folder, codec } => (
            parquet(info, Part::Train, &folder, codec)?,
            parquet(info, Part::Test, &folder, codec)?,
        ),
    };
    Ok(Dataset { info, train, test })
}

/// One split out of Parquet shards.
fn parquet(info: &Info, part: Part, folder: &Path, codec: Codec) -> Result<Split, Error> {
    let (name, expected) = match part {
        Part::Train => ("train", info.train),
        Part::Test => ("test", info.test),
    };
    let files = encoded::shards(folder, name);
    let Some(first) = files.first() else {
        let path = folder.join(format!("{name}-00000-of-00001.parquet"));
        return Err(info.fault(path, Fault::Missing));
    };
    let place = if files.len() == 1 { first } else { folder };
    let (split, sum) = encoded::read(info, codec, &files, expected)?;
    check(info, part, place, &split, Some(sum))?;
    Ok(split)
}

/// Compares the checksums of one split in `place`; `encoded` is that of the encoded images.
fn check(
    info: &Info,
    part: Part,
    place: &Path,
    split: &Split,
    encoded: Option<String>,
) -> Result<(), Error> {
    for sum in info.sums.iter().filter(|sum| sum.part == part) {
        let found = match sum.of {
            Summed::Labels => sha256(&split.label_bytes()),
            Summed::FirstPixels(n) => sha256(split.take(n).pixels()),
            Summed::Encoded => match &encoded {
                Some(found) => found.clone(),
                None => continue,
            },
        };
        if found != sum.sha256 {
            let fault = Fault::Checksum {
                what: sum.of.to_string(),
                found,
                expected: sum.sha256.into(),
            };
            return Err(info.fault(place, fault));
        }
    }
    Ok(())
}

/// Where a set lies.
enum Place {
    Embedded,
    Records(PathBuf),
    Parquet { folder: PathBuf, codec: Codec },
}

fn locate(info: &Info, root: Option<&Path>) -> Result<Place, Error> {
    if info.layouts.contains(&Layout::Embedded) {
        return Ok(Place::Embedded);
    }
    let root = root.ok_or(Error::NoRoot {
        title: info.title,
        how_to_get: info.how_to_get,
    })?;
    if !root.is_dir() {
        return Err(Error::BadRoot { root: root.into() });
    }
    let mut seen = None;
    for layout in info.layouts {
        match *layout {
            Layout::Embedded => return Ok(Place::Embedded),
            Layout::Records => {
                if let Some(folder) = RECORD_FOLDERS
                    .iter()
                    .map(|folder| root.join(folder))
                    .find(|f| records::present(f))
                {
                    return Ok(Place::Records(folder));
                }
            }
            Layout::Parquet(codec) => {
                for folder in info.folders.iter().map(|folder| root.join(folder)) {
                    match encoding(info, &folder)? {
                        Some(found) if found == codec => {
                            return Ok(Place::Parquet { folder, codec });
                        }
                        Some(other) if seen.is_none() => {
                            seen = Some(resembling(info, &folder, other));
                        }

                        _ => {}
                    }
                }
            }
        }
    }
    Err(Error::NotFound {
        title: info.title,
        name: info.name,
        root: root.into(),
        seen,
        how_to_get: info.how_to_get,
    })
}

/// The encoding of the images of the Parquet shards in `folder`, if there are any of the set's size.
fn encoding(info: &Info, folder: &Path) -> Result<Option<Codec>, Error> {
    let mut files = ["train", "test"]
        .iter()
        .flat_map(|split| encoded::shards(folder, split));
    files.next().map_or(Ok(None), |path| {
        encoded::peek(info, &path).map_err(|fault| info.fault(path, fault))
    })
}

/// Says that `folder` holds the images of a set in another encoding, and which set that is.
fn resembling(info: &Info, folder: &Path, codec: Codec) -> String {
    let other = REGISTRY.iter().find(|other| {
        other.class_names == info.class_names
            && other.layouts.contains(&Layout::Parquet(codec))
            && other.id != info.id
    });
    let name = other.map(|other| {
        format!(
            ": that is the data set `{}`, which can be used instead",
            other.name
        )
    });
    format!(
        ": {} holds {codec}-encoded images{}",
        folder.display(),
        name.unwrap_or_default()
    )
}
