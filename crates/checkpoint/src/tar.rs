//! The tar archive of PyTorch before 0.1.10, from 2016: the entries `storages`, `tensors` and `pickle`.
//!
//! | entry | content |
//! |---|---|
//! | `storages` | the number of storages; for each, `(key, location, class)`, its number of elements (eight bytes) and the elements; then the views of storages, `(key, key of the whole, offset, length)` |
//! | `tensors` | the number of tensors; for each, `(key, storage, class)`, then rank (eight bytes), shape, strides and offset (eight bytes each) |
//! | `pickle` | the saved object, in which tensors are named by their keys |
//!
//! Numbers and tuples are pickles. A later form has no `tensors`: the object describes them itself, as in newer files.

use crate::dtype::Dtype;
use crate::error::{AGAIN, Shown};
use crate::float::Order;
use crate::load::Loader;
use crate::pickle::{Pickle, Ref};
use crate::torch::{Outside, Storage};
use crate::view::View;
use crate::{Checkpoint, Container, Error, Result};
use std::collections::BTreeMap;

/// Reads a whole archive.
pub(crate) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let entries = entries(bytes)?;
    let entry = |name: &str| entries.get(name).copied();
    let (Some(pickle), Some(storages)) = (entry("pickle"), entry("storages")) else {
        return Err(Error::Content {
            what: "is a tar archive, but not written by torch.save".into(),
            fix: "unpack it, and give the .pth or .safetensors file in it",
        });
    };
    if let Some(machine) = entry("sys_info") {
        let machine = Pickle::read(machine)?;
        if machine.flag("little_endian") == Some(false) {
            return Err(Error::Content {
                what: "was written on a big-endian machine by an old PyTorch".into(),
                fix: AGAIN,
            });
        }
    }
    let storages = Stored::all(storages)?;
    let tensors = entry("tensors").unwrap_or_default();
    let outside = Outside {
        storages: storages
            .iter()
            .map(|(key, stored)| (key.clone(), stored.storage()))
            .collect(),
        tensors: match tensors {
            [] => BTreeMap::new(),
            bytes => self::tensors(bytes, &storages)?,
        },
    };
    let pickle = Pickle::read(pickle)?;
    let mut loader = Loader::new(&pickle, Container::Tar, outside, bytes.len() as u64)?;
    for (key, stored) in &storages {
        if stored.part.is_none() {
            loader.read(key, stored.content, Order::Little)?;
        }
    }
    loader.finish()
}

/// The content of each entry, by name.
fn entries(bytes: &[u8]) -> Result<BTreeMap<String, &[u8]>> {
    let mut all = BTreeMap::new();
    for entry in ::tar::Archive::new(bytes).entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        let length = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        let content = bytes.get(start..).and_then(|rest| rest.get(..length));
        let shown = Shown(&name).to_string();
        let content =
            content.ok_or_else(|| damaged(format!("entry `{shown}`: the end of the file")))?;
        if all.insert(name, content).is_some() {
            return Err(Error::Ambiguous {
                what: "holds an entry twice",
                first: shown.clone(),
                second: shown,
                fix: "copy it again",
            });
        }
    }
    Ok(all)
}

/// Pickles and numbers, one behind the other.
struct Sequence<'a>(&'a [u8]);

impl<'a> Sequence<'a> {
    fn pickle(&mut self) -> Result<Pickle<'a>> {
        let pickle = Pickle::read(self.0)?;
        self.0 = &self.0[pickle.length()..];
        Ok(pickle)
    }

    /// A pickle of one number, which is not negative.
    fn count(&mut self) -> Result<usize> {
        let pickle = self.pickle()?;
        let count = pickle.size(pickle.root());
        count.ok_or_else(|| damaged("a count that is no number"))
    }

    /// A number of eight bytes, which is not negative.
    fn number(&mut self) -> Result<usize> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        let number = i64::from_le_bytes(*number);
        usize::try_from(number).map_err(|_| damaged(format!("the number {number}")))
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<usize>> {
        // Eight bytes each, so a false count ends with the file.
        (0..count).map(|_| self.number()).collect()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// A storage, or a part of one.
struct Stored<'a> {
    dtype: Dtype,
    content: &'a [u8],
    /// For a part: the key of the whole, and the element where the part begins.
    part: Option<(String, usize)>,
}

impl<'a> Stored<'a> {
    /// All that the entry `storages` holds, by key.
    fn all(bytes: &'a [u8]) -> Result<BTreeMap<String, Self>> {
        let mut rest = Sequence(bytes);
        let mut all = BTreeMap::new();
        for _ in 0..rest.count()? {
            let about = rest.pickle()?;
            let described = || {
                let &[key, _, class] = about.sequence(about.root())? else {
                    return None;
                };
                let (_, class) = about.global(class)?;
                Some((key_of(&about, key)?, Dtype::of_storage(class)?))
            };
            let (key, dtype) = described().ok_or_else(|| damaged("an unknown storage"))?;
            let length = rest.number()?.checked_mul(dtype.size());
            let content = rest.take(length.ok_or_else(cut_off)?)?;
            let stored = Self {
                dtype,
                content,
                part: None,
            };
            if all.insert(key, stored).is_some() {
                return Err(damaged("a storage twice"));
            }
        }
        if rest.0.is_empty() {
            return Ok(all);
        }
        let views = rest.pickle()?;
        for &view in views.sequence(views.root()).unwrap_or_default() {
            let part = || {
                let &[key, whole, offset, length] = views.sequence(view)? else {
                    return None;
                };
                let whole = key_of(&views, whole)?;
                let of: &Self = all.get(&whole)?;
                let (offset, length) = (views.size(offset)?, views.size(length)?);
                let size = of.dtype.size();
                let content = of.content.get(offset.checked_mul(size)?..)?;
                let part = Self {
                    dtype: of.dtype,
                    content: content.get(..length.checked_mul(size)?)?,
                    part: Some((whole, offset)),
                };
                Some((key_of(&views, key)?, part))
            };
            let (key, part) = part().ok_or_else(|| damaged("a part of no storage"))?;
            if all.insert(key, part).is_some() {
                return Err(damaged("a storage twice"));
            }
        }
        Ok(all)
    }

    fn length(&self) -> usize {
        self.content.len() / self.dtype.size()
    }

    fn storage(&self) -> Storage {
        Storage::new(self.dtype, self.length())
    }
}

/// The tensors by their keys: the key of a storage, and the view.
fn tensors(
    bytes: &[u8],
    storages: &BTreeMap<String, Stored<'_>>,
) -> Result<BTreeMap<String, (String, View)>> {
    let mut rest = Sequence(bytes);
    let mut all = BTreeMap::new();
    for _ in 0..rest.count()? {
        let about = rest.pickle()?;
        let described = || {
            let &[key, storage, _] = about.sequence(about.root())? else {
                return None;
            };
            let storage = storages.get_key_value(&key_of(&about, storage)?)?;
            Some((key_of(&about, key)?, storage))
        };
        let (key, (name, storage)) =
            described().ok_or_else(|| damaged("a tensor of no storage"))?;
        // The other four bytes are not used.
        let [a, b, c, d, ..] = rest.take(8)? else {
            return Err(cut_off());
        };
        let rank = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let (shape, strides) = (rest.numbers(rank)?, rest.numbers(rank)?);
        let offset = rest.number()?;
        let mut view = View {
            name: key.clone(),
            dtype: storage.dtype,
            offset,
            shape,
            strides,
        };
        view.check(storage.length())?;
        let whole = match &storage.part {
            None => name.clone(),
            Some((whole, start)) => {
                view.offset += start;
                whole.clone()
            }
        };
        all.insert(key, (whole, view));
    }
    Ok(all)
}

/// A key: an integer, or text.
fn key_of(pickle: &Pickle<'_>, key: Ref) -> Option<String> {
    match pickle.text(key) {
        Some(text) => Some(text.to_owned()),
        None => pickle.size(key).map(|number| number.to_string()),
    }
}

fn cut_off() -> Error {
    damaged("the end of an entry")
}

fn damaged(problem: impl std::fmt::Display) -> Error {
    Error::damaged("tar archive of PyTorch", problem)
}
