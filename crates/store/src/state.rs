//! The saved state of an unfinished step: several named parts in one file, so that one rename replaces all of them.
//!
//! The file is one line of JSON, then the bytes of the parts. The line has the format, the step, what the state depends on, the
//! names and lengths of the parts, and a checksum: a SHA-256 of everything else. States of format 1 have no checksum and are
//! refused.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::Id;
use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT, Part, Result, checksum, file};

#[derive(Serialize, Deserialize)]
struct Index {
    format: u32,
    /// The step.
    step: Id,
    /// What the state depends on besides the step's id.
    on: String,
    parts: Vec<(String, usize)>,
    sha256: String,
}

/// The checksum of a state: covers everything but itself.
fn sum(index: &Index, bytes: &[&[u8]]) -> serde_json::Result<String> {
    let Index {
        format,
        step,
        on,
        parts,
        ..
    } = index;
    let rest = serde_json::to_vec(&(format, step, on, parts))?;
    Ok(checksum::hex(&[&[rest.as_slice()], bytes].concat()))
}

/// Replaces the state at `path` atomically.
///
/// # Errors
/// [`Error::Payload`] or [`Error::Io`] if the file cannot be written.
pub fn write(path: &Path, step: &Id, on: &str, parts: &[(&str, &[u8])]) -> Result<()> {
    let names = parts.iter();
    let mut index = Index {
        format: FORMAT,
        step: *step,
        on: on.to_owned(),
        parts: names
            .map(|(name, bytes)| ((*name).to_owned(), bytes.len()))
            .collect(),
        sha256: String::new(),
    };
    file::write_with(path, |partial| {
        let mut out = File::create(partial)?;
        let bytes: Vec<&[u8]> = parts.iter().map(|(_, bytes)| *bytes).collect();
        index.sha256 = sum(&index, &bytes)?;
        let mut line = serde_json::to_vec(&index)?;
        line.push(b'\n');
        out.write_all(&line)?;
        for bytes in bytes {
            out.write_all(bytes)?;
        }
        Ok(())
    })
}

/// The parts of the state at `path`, in the order of writing; `None` if there is no such file.
///
/// # Errors
/// [`Error::Damaged`] if the lengths or the checksum are wrong, or the state belongs to another step or depends on something else
/// than `on`; [`Error::Future`], [`Error::Io`].
pub fn read(path: &Path, step: &Id, on: &str) -> Result<Option<Vec<Part>>> {
    let Some(bytes) = file::bytes(path)? else {
        return Ok(None);
    };
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| Error::damaged(path, "its first line does not end"))?;
    let (line, mut rest) = (&bytes[..end], &bytes[end + 1..]);
    if file::check_format(path, line)? < FORMAT {
        let problem = "it has no checksum; an older version wrote it";
        return Err(Error::damaged(path, problem));
    }
    let index: Index =
        serde_json::from_slice(line).map_err(|source| Error::damaged(path, source))?;
    let found = sum(&index, &[rest]).map_err(|source| Error::damaged(path, source))?;
    if index.sha256 != found {
        return Err(Error::damaged(path, "its checksum does not match"));
    }
    if index.step != *step {
        let problem = format!("it is the state of step {}", index.step);
        return Err(Error::damaged(path, problem));
    }
    if index.on != on {
        let problem = "it was saved for other weights or images than there are now";
        return Err(Error::damaged(path, problem));
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
