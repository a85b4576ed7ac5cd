//! Reads the tensors of a pickle's state dict, storage by storage. Each storage is in memory once, even if many tensors
//! are views of it.

use crate::error::Shown;
use crate::float::Order;
use crate::pickle::{Pickle, Ref};
use crate::torch::{self, Outside, Storages};
use crate::view::View;
use crate::{Checkpoint, Container, Error, Origin, Result, Tensor, claim, names, state_dict};
use std::collections::BTreeMap;

/// The tensors that are still to be read, and those already read.
pub(crate) struct Loader {
    storages: Storages,
    /// For each storage, its tensors: the name without wrapper prefixes, and the view.
    wanted: BTreeMap<String, Vec<(String, View)>>,
    read: Checkpoint,
}

impl Loader {
    /// A loader for the state dict in `pickle`. `outside` is what the file says of storages and tensors elsewhere; `length` is the total
    /// size of the storages in bytes.
    pub fn new(
        pickle: &Pickle<'_>,
        container: Container,
        outside: Outside,
        length: u64,
    ) -> Result<Self> {
        let storages = Storages::of(pickle, outside.storages)?;
        let found = state_dict::find(pickle)?;
        // Checked first: otherwise the message would blame the integer scales and zero points.
        let is_quantised = |&&(_, value): &&(&str, Ref)| torch::is_quantised(pickle, value);
        if let Some((name, _)) = found.tensors.iter().find(is_quantised) {
            return Err(torch::quantised(name));
        }
        let entries = found
            .tensors
            .into_iter()
            .map(|(name, value)| (name.to_owned(), (name, value)));
        let mut wanted: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut elements = 0u64;
        let settled = names::settle(entries.collect())?;
        for (bare, (name, value)) in settled.tensors {
            let (key, view) = torch::tensor(pickle, &storages, &outside.tensors, name, value)?;
            // An element takes two bytes or more, so tied weights may use each storage twice.
            elements += view.shape.iter().product::<usize>() as u64;
            if elements > length {
                let problem = "uses the same numbers for too many tensors".into();
                return Err(Error::Limit(problem));
            }
            wanted.entry(key).or_default().push((bare, view));
        }
        Ok(Self {
            storages,
            wanted,
            read: Checkpoint {
                tensors: BTreeMap::new(),
                claim: claim::find(pickle),
                origin: Origin {
                    container,
                    within: found.within,
                    prefix: settled.prefix,
                    counters: settled.counters,
                },
            },
        })
    }

    /// The storages that the pickle mentions.
    pub fn storages(&self) -> &Storages {
        &self.storages
    }

    /// The first tensor that is a view of the storage `key` and still to be read.
    pub fn tensor_in(&self, key: &str) -> Option<&str> {
        let (_, view) = self.wanted.get(key)?.first()?;
        Some(&view.name)
    }

    /// Reads the tensors that are views of the storage `key`. `bytes` is the whole storage.
    pub fn read(&mut self, key: &str, bytes: &[u8], order: Order) -> Result<()> {
        let claimed = self.storages.get(key).and_then(|storage| storage.bytes());
        if claimed != Some(bytes.len()) {
            let problem = format!("storage `{}` has the wrong length", Shown(key));
            return Err(Error::damaged(torch::FORMAT, problem));
        }
        for (name, view) in self.wanted.remove(key).unwrap_or_default() {
            let tensor: Tensor = view.read(bytes, order)?;
            self.read.tensors.insert(name, tensor);
        }
        Ok(())
    }

    /// Returns all tensors. Fails if the storage of a tensor is missing.
    pub fn finish(self) -> Result<Checkpoint> {
        match self.wanted.into_iter().next() {
            None => Ok(self.read),
            Some((key, views)) => {
                let name = views.first().map_or("", |(_, view)| view.name.as_str());
                let (key, name) = (Shown(&key), Shown(name));
                let problem = format!("storage `{key}` of tensor `{name}` is missing");
                Err(Error::damaged(torch::FORMAT, problem))
            }
        }
    }
}
