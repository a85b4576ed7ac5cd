//! Tensor names: removes the prefixes of wrappers and refuses duplicates.

use crate::error::Shown;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Prefixes that wrappers add to all names: data-parallel training, `torch.compile`, Lightning, and nested models.
const PREFIXES: [&str; 8] = [
    "module.",
    "_orig_mod.",
    "model.",
    "_model.",
    "net.",
    "network.",
    "backbone.",
    "state_dict.",
];

/// The longest name of a tensor, in bytes.
const MAX_LENGTH: usize = 256;

/// The batch counter of batch normalisation. Inference does not use it.
const COUNTER: &str = "num_batches_tracked";

/// Tensors under the network's own names.
pub(crate) struct Settled<T> {
    pub tensors: BTreeMap<String, T>,
    /// The wrappers' prefix that all names had; empty if there was none.
    pub prefix: String,
    /// The number of counters that were left out.
    pub counters: usize,
}

/// Removes every prefix of a wrapper that all names share, and drops the counters.
pub(crate) fn settle<T>(tensors: Vec<(String, T)>) -> Result<Settled<T>> {
    let (mut settled, mut counters) = (BTreeMap::new(), 0);
    let mut removed = String::new();
    for (name, tensor) in tensors {
        if last(&name) == COUNTER {
            counters += 1;
            continue;
        }
        if name.len() > MAX_LENGTH || name.chars().any(char::is_control) {
            return Err(Error::Content {
                what: format!("has a tensor with the invalid name `{}`", Shown(&name)),
                fix: "rename it",
            });
        }
        if settled.contains_key(&name) {
            return Err(twice(&name, &name, "copy it again"));
        }
        settled.insert(name, tensor);
    }
    if settled.is_empty() {
        return Err(Error::Empty);
    }
    while let Some(prefix) = PREFIXES
        .iter()
        .find(|prefix| settled.keys().all(|name| within(name, prefix)))
    {
        let bare = |(name, tensor): (String, T)| (name[prefix.len()..].to_owned(), tensor);
        settled = settled.into_iter().map(bare).collect();
        removed += prefix;
    }
    for name in settled.keys() {
        let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        if let Some(bare) = bare.filter(|bare| settled.contains_key(*bare)) {
            let fix = r#"in Python, keep one network: `torch.save({k: v for k, v in state_dict.items() if k.startswith("PREFIX")}, "weights.pth")`"#;
            return Err(twice(bare, name, fix));
        }
    }
    Ok(Settled {
        tensors: settled,
        prefix: removed,
        counters,
    })
}

/// Whether `name` is `prefix` followed by at least one more character.
fn within(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty())
}

/// The part of a name after its last dot.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn twice(first: &str, second: &str, fix: &'static str) -> Error {
    Error::Ambiguous {
        what: "holds a tensor twice",
        first: Shown(first).to_string(),
        second: Shown(second).to_string(),
        fix,
    }
}
