//! Finds a set under the data folder, reads it in the layout found, and checks it against its registry entry.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::checksum::sha256;
use crate::{
    Absence, Codec, Content, Dataset, Error, Fault, Id, Info, Layout, Part, REGISTRY, Split,
    Summed, encoded, fashion, flowers, gtsrb, records,
};

/// Whether a set can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The set is part of the program.
    Embedded,
    /// The set lies in a folder. Its contents are not checked yet.
    Found {
        /// The folder.
        folder: PathBuf,
        /// The layout of its files there.
        layout: Layout,
    },
    /// The set was not found.
    NotFound {
        /// What is missing.
        reason: String,
        /// How to get the set, as in [`Info`].
        how_to_get: &'static str,
    },
    /// The set is damaged. Only its first file and image were checked.
    Unusable {
        /// The file, what is wrong with it, and what to do.
        reason: String,
    },
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => Layout::Embedded.fmt(f),
            Self::Found { folder, layout } => write!(f, "{} ({layout})", folder.display()),
            Self::NotFound { reason, how_to_get } => {
                write!(f, "{reason}. To get the data set, {how_to_get}.")
            }
            Self::Unusable { reason } => f.write_str(reason),
        }
    }
}

/// Looks for `id` under `root`. Reads only a few kilobytes.
pub fn find(id: Id, root: Option<&Path>) -> Presence {
    presence(id.info(), root)
}

/// Like [`find`], for an entry that need not be in the registry.
pub(crate) fn presence(info: &'static Info, root: Option<&Path>) -> Presence {
    match locate(info, root) {
        Ok((_, Layout::Embedded)) => Presence::Embedded,
        Ok((folder, layout)) => Presence::Found { folder, layout },
        Err(Error::NotFound {
            absence,
            how_to_get,
        }) => Presence::NotFound {
            reason: absence.to_string(),
            how_to_get,
        },
        Err(error) => Presence::Unusable {
            reason: error.to_string(),
        },
    }
}

/// Reads and checks `id`. Embedded sets need no `root`. Other sets are searched under it, in every layout that the registry
/// names.
///
/// # Errors
/// If the set is not found, or anything about it is not as expected. The message says what to do.
pub fn open(id: Id, root: Option<&Path>) -> Result<Dataset, Error> {
    read(id.info(), root)
}

/// Like [`open`], for an entry that need not be in the registry.
pub(crate) fn read(info: &'static Info, root: Option<&Path>) -> Result<Dataset, Error> {
    let (folder, layout) = locate(info, root)?;
    let (train, test) = match layout {
        Layout::Parquet(codec) => (
            parquet(info, Part::Train, &folder, codec)?,
            parquet(info, Part::Test, &folder, codec)?,
        ),
        other => {
            let (train, test) = match other {
                Layout::Records => records::read(info, &folder)?,
                Layout::Gtsrb => gtsrb::read(info, &folder)?,
                Layout::Flowers => flowers::read(info, &folder)?,
                _ => fashion::read(info)?,
            };
            check(info, Part::Train, &folder, &train, None)?;
            check(info, Part::Test, &folder, &test, None)?;
            (train, test)
        }
    };
    let place = (layout != Layout::Embedded).then_some(folder.as_path());
    let content = Content::of(info, place, &train, &test);
    Ok(Dataset {
        facts: info.facts(),
        train,
        test,
        content,
    })
}

/// Reads one split from Parquet shards.
fn parquet(info: &Info, part: Part, folder: &Path, codec: Codec) -> Result<Split, Error> {
    let names = match part {
        Part::Train => info.packed.train,
        Part::Test => &["test"],
    };
    let mut files = Vec::new();
    for name in names {
        let shards = encoded::shards(folder, name);
        if shards.is_empty() {
            let path = folder.join(format!("{name}-00000-of-00001.parquet"));
            return Err(info.fault(path, Fault::Missing));
        }
        files.extend(shards);
    }
    let place = match files.as_slice() {
        [only] => only,
        _ => folder,
    };
    let (split, sum) = encoded::read(info, codec, &files, part)?;
    check(info, part, place, &split, Some(sum))?;
    Ok(split)
}

/// Checks the checksums of one split in `place`. `encoded` is the checksum of the encoded images.
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
            Summed::FirstPixels(n) => sha256(split.first_pixels(n)),
            Summed::Tracks => sha256(&split.group_bytes()),
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

/// The folder of a set (empty for an embedded one) and its layout.
fn locate(info: &Info, root: Option<&Path>) -> Result<(PathBuf, Layout), Error> {
    if info.layouts.contains(&Layout::Embedded) {
        return Ok((PathBuf::new(), Layout::Embedded));
    }
    let absent = |absence| Error::NotFound {
        absence,
        how_to_get: info.how_to_get,
    };
    let title = info.title;
    let root = root.ok_or_else(|| absent(Absence::NoRoot { title }))?;
    if !root.is_dir() {
        return Err(absent(Absence::BadRoot { root: root.into() }));
    }
    let mut seen = None;
    for &layout in info.layouts {
        let (folders, present): (&[&str], fn(&Path) -> bool) = match layout {
            Layout::Records => (records::FOLDERS, records::present),
            Layout::Gtsrb => (gtsrb::FOLDERS, gtsrb::present),
            Layout::Flowers => (flowers::FOLDERS, flowers::present),
            Layout::Embedded | Layout::Parquet(_) => (&[], |_| false),
        };
        let mut folders = folders.iter().map(|folder| root.join(folder));
        if let Some(folder) = folders.find(|folder| present(folder)) {
            return Ok((folder, layout));
        }
        let Layout::Parquet(codec) = layout else {
            continue;
        };
        for &name in info.folders {
            let folder = root.join(name);
            match encoding(info, &folder) {
                Ok(Some(found)) if found == codec => return Ok((folder, layout)),
                Ok(Some(other)) if seen.is_none() => seen = Some(resembling(info, &folder, other)),
                Ok(_) => {}
                Err(Error::File { fault, .. }) if anybodys(name) && is_another_set(&fault) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(absent(Absence::Elsewhere {
        title,
        name: info.name,
        root: root.into(),
        seen,
    }))
}

/// Whether a folder's name does not name a data set, so that unrelated files may lie there.
fn anybodys(name: &str) -> bool {
    ["", "data", "plain_text"].contains(&name)
}

/// Whether `fault` suggests that a file belongs to another set, rather than that it is damaged.
fn is_another_set(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Column { .. }
            | Fault::Count { .. }
            | Fault::Unknown { .. }
            | Fault::Dimensions { .. }
            | Fault::Colours { .. }
    )
}

/// The encoding of the images of the Parquet shards in `folder`, if there are any shards.
fn encoding(info: &Info, folder: &Path) -> Result<Option<Codec>, Error> {
    let mut last = None;
    for path in ["train", "test"]
        .iter()
        .flat_map(|split| encoded::shards(folder, split))
    {
        let found = encoded::peek(info, &path).map_err(|fault| info.fault(&path, fault))?;
        if found.is_some() {
            return Ok(found);
        }
        last = Some(path);
    }
    last.map_or(Ok(None), |path| {
        let (found, expected) = (0, info.train);
        Err(info.fault(path, Fault::Count { found, expected }))
    })
}

/// Says that `folder` holds images in another encoding, and which set they belong to.
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
