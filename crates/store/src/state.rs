//! The state of a step in flight: several named parts in one file, so that one rename replaces all of them.
//!
//! The file is one line of JSON (format, names, lengths) followed by the bytes of the parts, one after the other.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT, Part, Result, file};

#[derive(Serialize, Deserialize)]
struct Index {
    format: u32,
    parts: Vec<(String, usize)>,
}

/// Replaces the state at `path`.
///
/// # Errors
/// [`Error::Payload`] or [`Error::Io`] if the disk refuses.
pub fn write(path: &Path, parts: &[(&str, &[u8])]) -> Result<()> {
    let index = Index {
        format: FORMAT,
        parts: parts
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.len()))
            .collect(),
    };
    file::write_with(path, |partial| {
        let mut out = File::create(partial)?;
        let mut line = serde_json::to_vec(&index)?;
        line.push(b'\n');
        out.write_all(&line)?;
        for (_, bytes) in parts {
            out.write_all(bytes)?;
        }
        Ok(())
    })
}

/// The parts at `path` in the order in which they were written, or `None` if there is no such file.
///
/// # Errors
/// [`Error::Damaged`] if lengths and file do not agree, [`Error::Future`], [`Error::Io`].
pub fn read(path: &Path) -> Result<Option<Vec<Part>>> {
    let Some(bytes) = file::bytes(path)? else {
        return Ok(None);
    };
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| Error::damaged(path, "its first line does not end"))?;
    let (line, mut rest) = (&bytes[..end], &bytes[end + 1..]);
    file::check_format(path, line)?;
    let index: Index =
        serde_json::from_slice(line).map_err(|source| Error::damaged(path, source))?;
    let mut parts = Vec::with_capacity(index.parts.len());
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
