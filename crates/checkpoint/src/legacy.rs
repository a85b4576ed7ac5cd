//! The file format of PyTorch before 1.6: five pickles, then the storages.
//!
//! The pickles hold a magic number, a version, facts about the machine, the saved object, and the keys of the storages.
//! Each storage is its number of elements (eight bytes), then the elements.

use crate::error::{AGAIN, SAVE, Shown};
use crate::float::Order;
use crate::load::Loader;
use crate::pickle::{Pickle, Value};
use crate::torch::Outside;
use crate::{Checkpoint, Container, Error, Result};

/// PyTorch's magic number, as bytes and as the decimal digits that protocol 1 writes.
const MAGIC: [&[u8]; 2] = [
    b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
    b"119547037146038801333356",
];

const VERSION: i64 = 1001;

/// Reads a whole file.
pub(crate) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let mut rest = bytes;
    let mut next = || -> Result<Pickle<'_>> {
        let pickle = Pickle::read(rest)?;
        rest = &rest[pickle.length()..];
        Ok(pickle)
    };
    let magic = next()?;
    if !matches!(magic.get(magic.root()), Value::Bytes(number) if MAGIC.contains(number)) {
        return Err(Error::Content {
            what: "is a pickle, but not written by torch.save".into(),
            fix: SAVE,
        });
    }
    let version = next()?;
    if !matches!(version.get(version.root()), Value::Int(VERSION)) {
        return Err(damaged("an unknown format version"));
    }
    let machine = next()?;
    match machine.flag("little_endian") {
        Some(true) => {}
        // On such machines the byte order of the storages depends on the PyTorch version.
        Some(false) => {
            return Err(Error::Content {
                what: "was written on a big-endian machine by an old PyTorch".into(),
                fix: AGAIN,
            });
        }
        None => return Err(damaged("no byte order")),
    }
    let saved = next()?;
    let keys = next()?;
    let mut loader = Loader::new(
        &saved,
        Container::Legacy,
        Outside::default(),
        bytes.len() as u64,
    )?;
    let keys = keys.sequence(keys.root()).and_then(|list| {
        let texts = list.iter().map(|&key| keys.text(key));
        texts.collect::<Option<Vec<_>>>()
    });
    let keys = keys.ok_or_else(|| damaged("no list of storages"))?;
    if keys.len() != loader.storages().len() {
        return Err(damaged("its list of storages does not match its tensors"));
    }
    for key in keys {
        let part = || format!("storage `{}`", Shown(key));
        let claimed = loader.storages().get(key).and_then(|s| s.bytes());
        let claimed = claimed.ok_or_else(|| damaged(format!("{} belongs to no tensor", part())))?;
        let cut_off = || damaged(format!("{}: the end of the file", part()));
        let (count, elements) = rest.split_first_chunk().ok_or_else(cut_off)?;
        let content = elements.get(..claimed).ok_or_else(cut_off)?;
        if !loader.storages().has(key, u64::from_le_bytes(*count)) {
            return Err(damaged(format!("{} has the wrong length", part())));
        }
        loader.read(key, content, Order::Little)?;
        rest = &elements[claimed..];
    }
    if !rest.is_empty() {
        return Err(damaged(format!("{} bytes too many", rest.len())));
    }
    loader.finish()
}

fn damaged(problem: impl std::fmt::Display) -> Error {
    Error::damaged("file of an old PyTorch version", problem)
}
