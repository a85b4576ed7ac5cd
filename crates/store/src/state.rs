//! The state of a step in flight: several named parts in one file, so that one rename replaces all of them.
//!
//! The file is one line of JSON (format, names and lengths, checksum) followed by the bytes of the parts, one after the other. The
//! checksum is a SHA-256 of all the rest; states of format 1 have none.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT, Part, Result, checksum, file};

#[derive(Serialize, Deserialize)]
struct Index {
    format: u32,
    parts: Vec<(String, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// The checksum of a state of this format, with these names and lengths, and these bytes.
fn sum(format: u32, parts: &[(String, usize)], bytes: &[&[u8]]) -> serde_json::Result<String> {
    let names = serde_json::to_vec(&(format, parts))?;
    Ok(checksum::hex(&[&[names.as_slice()], bytes].concat()))
}

/// Replaces the state at `path`.
///
/// # Errors
/// [`Error::Payload`] or [`Error::Io`] if the disk refuses.
pub fn write(path: &Path, parts: &[(&str, &[u8])]) -> Result<()> {
    let names: Vec<(String, usize)> = parts
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.len()))
        .collect();
    file::write_with(path, |partial| {
        let mut out = File::create(partial)?;
        let bytes: Vec<&[u8]> = parts.iter().map(|(_, bytes)| *bytes).collect();
        let mut line = serde_json::to_vec(&Index {
            format: FORMAT,
            sha256: Some(sum(FORMAT, &names, &bytes)?),
            parts: names,
        })?;
        line.push(b'\n');
        out.write_all(&line)?;
        for bytes in bytes {
            out.write_all(bytes)?;
        }
        Ok(())
    })
}

/// The parts at `path` in the order in which they were written, or `None` if there is no such file.
///
/// # Errors
/// [`Error::Damaged`] if lengths, checksum and file do not agree, [`Error::Future`], [`Error::Io`].
pub fn read(path: &Path) -> Result<Option<Vec<Part>>> {
    let Some(bytes) = file::bytes(path)? else {
        return Ok(None);
    };
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| Error::damaged(path, "its first line does not end"))?;
    let (line, mut rest) = (&bytes[..end], &bytes[end + 1..]);
    let format = file::check_format(path, line)?;
    let index: Index =
        serde_json::from_slice(line).map_err(|source| Error::damaged(path, source))?;
    let found =
        sum(format, &index.parts, &[rest]).map_err(|source| Error::damaged(path, source))?;
    match index.sha256 {
        Some(expected) if expected != found => {
            return Err(Error::damaged(path, "its checksum does not fit"));
        }
        None if format > 1 => return Err(Error::damaged(path, "its checksum is missing")),
        _ => {}
    }
    let mut parts = Vec::new();
    for (name, length) in index.parts {
        let Some((part, tail)) = rest.split_at_checked(length) else {
            return Err(Error::damaged(
                path,
                format!(
                    "part {name:?} should have {length} bytes, {} are left",
                    rest.len()
                ),
            ));
        };
        parts.push((name, part.to_vec()));
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(Error::damaged(
            path,
            format!("{} bytes belong to no part", rest.len()),
        ));
    }
    Ok(Some(parts))
}
