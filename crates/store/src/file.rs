//! Writes files atomically: under a temporary name in the same folder, then flushed and renamed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Deserialize;

use crate::checksum::{self, Checksum};
use crate::flush::sync_folder;
use crate::{BoxError, Error, FORMAT, Record, Result, folder};

/// The prefix of the names of incomplete files.
const PARTIAL: &str = ".partial-";

/// The one field that every format has. It is read and checked first.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// The record at `path`, and whether it has a checksum (records of format 1 have none); `None` if there is no such file.
///
/// # Errors
/// [`Error::Io`], [`Error::Damaged`] (also if the record contradicts itself), [`Error::Future`].
pub fn read_with_checksum<R: Record>(path: &Path) -> Result<Option<(R, bool)>> {
    let Some(bytes) = bytes(path)? else {
        return Ok(None);
    };
    let format = check_format(path, &bytes)?;
    let has_checksum = match checksum::look(&bytes) {
        Checksum::Fits => true,
        Checksum::Missing if format == 1 => false,
        Checksum::Missing => return Err(Error::damaged(path, "its checksum is missing")),
        Checksum::Broken => return Err(Error::damaged(path, "its checksum does not match")),
    };
    let record: R =
        serde_json::from_slice(&bytes).map_err(|source| Error::damaged(path, source))?;
    record
        .check()
        .map_err(|problem| Error::damaged(path, problem))?;
    Ok(Some((record, has_checksum)))
}

/// The format of a JSON object. Fails if it is newer than [`FORMAT`].
pub fn check_format(path: &Path, json: &[u8]) -> Result<u32> {
    let header: Header =
        serde_json::from_slice(json).map_err(|source| Error::damaged(path, source))?;
    if header.format > FORMAT {
        return Err(Error::Future {
            path: path.to_owned(),
            found: header.format,
        });
    }
    Ok(header.format)
}

/// Encodes a record as JSON with its checksum, and checks that it can be read again. Otherwise the loss of a NaN or an infinity,
/// which JSON does not have, or a contradiction would be found only when the record is needed.
pub fn encode<R: Record>(record: &R, path: &Path) -> Result<Vec<u8>> {
    let unrepresentable = |source: BoxError| Error::Unrepresentable {
        path: path.to_owned(),
        source,
    };
    if record.format() != FORMAT {
        return Err(unrepresentable(
            format!("format is {}", record.format()).into(),
        ));
    }
    let json =
        serde_json::to_vec_pretty(record).map_err(|source| unrepresentable(source.into()))?;
    let read: R = serde_json::from_slice(&json).map_err(|source| unrepresentable(source.into()))?;
    read.check()
        .map_err(|problem| unrepresentable(problem.into()))?;
    Ok(checksum::append(&json))
}

/// The content of a file, or `None` if there is no such file.
pub fn bytes(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", path)(source)),
    }
}

/// Writes `bytes` to `path` atomically: after a kill or a power cut, either the old or the new file is there.
///
/// # Errors
/// [`Error::Payload`] or [`Error::Io`] if the file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    place(path, bytes)?;
    flush_folder_of(path)
}

/// As [`write`], but a power cut may lose the new file until its folder is flushed.
pub fn place(path: &Path, bytes: &[u8]) -> Result<()> {
    place_with(path, |partial| Ok(File::create(partial)?.write_all(bytes)?))
}

/// Writes a file with `save`, then moves it to `path` atomically.
pub fn write_with(
    path: &Path,
    save: impl FnOnce(&Path) -> std::result::Result<(), BoxError>,
) -> Result<()> {
    place_with(path, save)?;
    flush_folder_of(path)
}

fn flush_folder_of(path: &Path) -> Result<()> {
    let flushed = path.parent().map_or(Ok(()), sync_folder);
    flushed.map_err(Error::io("write", path))
}

fn place_with(
    path: &Path,
    save: impl FnOnce(&Path) -> std::result::Result<(), BoxError>,
) -> Result<()> {
    // The name keeps its extension, because code that writes weights may depend on it.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(partial_name(&name));
    let saved = save(&partial).map_err(|source| Error::Payload {
        path: path.to_owned(),
        source,
    });
    let placed = saved.and_then(|()| rename(&partial, path).map_err(Error::io("write", path)));
    if placed.is_err() {
        // The first error is reported. If the file cannot be removed, the next `Store::open` removes it.
        let _ = fs::remove_file(&partial);
    }
    placed
}

fn rename(partial: &Path, path: &Path) -> std::io::Result<()> {
    // Windows can only flush a file that was opened for writing.
    File::options().write(true).open(partial)?.sync_all()?;
    fs::rename(partial, path)
}

/// Removes a file, if it exists.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove", path)(source))
        }
        _ => Ok(()),
    }
}

/// The name of an incomplete file. No other process has it, on any host.
pub fn partial_name(name: &str) -> String {
    format!("{PARTIAL}{}-{name}", folder::token())
}

/// Whether a name is that of an incomplete file.
pub fn is_partial(name: &str) -> bool {
    name.starts_with(PARTIAL)
}

/// Removes all files in `folder`.
pub fn empty(folder: &Path) -> Result<()> {
    for name in names(folder)? {
        remove(&folder.join(name))?;
    }
    Ok(())
}

/// Removes the incomplete files that a killed process left in `folder`.
pub fn remove_partial(folder: &Path) -> Result<()> {
    for name in names(folder)?.iter().filter(|name| is_partial(name)) {
        remove(&folder.join(name))?;
    }
    Ok(())
}

/// The names in `folder`; empty if there is no such folder. Names that are not UTF-8 are left out: no record has one.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}
