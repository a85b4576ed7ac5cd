//! Whether weights fit a network and, if they do not, the likely cause.

use crate::slot::Slot;
use candle_core::Tensor;
use std::collections::{BTreeMap, BTreeSet};

type Tensors = BTreeMap<String, Tensor>;

/// Common names of the classifier, the layer that gives the logits.
const HEADS: [&str; 5] = ["fc", "linear", "classifier", "head", "output"];

/// The names of a network's tensors.
fn names(slots: &[Slot]) -> BTreeSet<&str> {
    slots.iter().map(|slot| slot.name.as_str()).collect()
}

/// Removes a prefix that all names have and the network's names do not. Also returns the prefix, empty if there is none.
pub(crate) fn without_prefix(tensors: Tensors, slots: &[Slot]) -> (Tensors, String) {
    let first = tensors.keys().next().cloned().unwrap_or_default();
    let mut prefix = String::new();
    for part in first
        .split_inclusive('.')
        .filter(|part| part.ends_with('.'))
    {
        let longer = format!("{prefix}{part}");
        if slots.iter().any(|slot| slot.name.starts_with(part))
            || !tensors.keys().all(|name| name.starts_with(&longer))
        {
            break;
        }
        prefix = longer;
    }
    let bare = |(name, tensor): (String, Tensor)| (name[prefix.len()..].to_owned(), tensor);
    (tensors.into_iter().map(bare).collect(), prefix)
}

/// The names of the classifier in the file and in the network, if they differ and the file does not use the network's name.
pub(crate) fn other_head(tensors: &Tensors, slots: &[Slot]) -> Option<(String, String)> {
    let ours = slots.last()?.name.rsplit_once('.')?.0;
    let has = |layer: &str| {
        let mut parts = ["weight", "bias"].iter();
        parts.all(|part| tensors.contains_key(&format!("{layer}.{part}")))
    };
    let known = names(slots);
    let mut theirs = HEADS
        .iter()
        .filter(|&&layer| has(layer) && !known.contains(format!("{layer}.weight").as_str()));
    match (theirs.next(), theirs.next()) {
        (Some(&only), None) if !has(ours) => Some((only.to_owned(), ours.to_owned())),
        _ => None,
    }
}

/// The first difference between some tensors and a network's.
pub(crate) fn difference(tensors: &Tensors, slots: &[Slot]) -> Option<String> {
    let known = names(slots);
    let strangers: Vec<&str> = tensors
        .keys()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    for slot in slots {
        match tensors.get(&slot.name) {
            None => return Some(missing(&slot.name, &strangers, tensors.len())),
            Some(tensor) if tensor.dims() != slot.shape => {
                let is_head = slots[slots.len() - 2..]
                    .iter()
                    .any(|head| head.name == slot.name);
                return Some(shape(slot, tensor.dims(), is_head));
            }
            Some(_) => {}
        }
    }
    strangers
        .first()
        .map(|first| extra(first, &strangers, &known))
}

fn missing(name: &str, strangers: &[&str], all: usize) -> String {
    let prefixed = |stranger: &&&str| {
        stranger
            .strip_suffix(name)
            .is_some_and(|p| p.ends_with('.'))
    };
    if let Some(stranger) = strangers.iter().find(prefixed) {
        let prefix = &stranger[..stranger.len() - name.len()];
        let many = strangers.iter().filter(|s| s.starts_with(prefix)).count();
        return format!(
            "`{name}` is missing, but there is `{stranger}`: remove the prefix `{prefix}` from the {many} of {all} names that have it"
        );
    }
    // If the file holds another network, the nearest name says nothing.
    let is_another = 2 * strangers.len() > all;
    let near = brink_config::nearest(name, strangers.iter().copied()).filter(|_| !is_another);
    let rest = match near {
        Some(near) => format!("; the nearest name is `{near}`"),
        None if strangers.is_empty() => String::new(),
        None => format!(
            "; the weights have {}, which the network does not have",
            list(strangers)
        ),
    };
    format!("`{name}` is missing{rest}")
}

fn shape(slot: &Slot, found: &[usize], is_head: bool) -> String {
    let problem = format!(
        "`{}` has shape {found:?}, expected {:?}",
        slot.name, slot.shape
    );
    match (found, slot.shape.as_slice()) {
        ([theirs, found @ ..], [_, expected @ ..]) if is_head && found == expected => format!(
            "{problem}; the weights are for {theirs} classes; `head: new` beside `weights` gives them a new classifier"
        ),
        _ => problem,
    }
}

fn extra(first: &str, strangers: &[&str], known: &BTreeSet<&str>) -> String {
    let is_shortcut = |name: &&str| name.contains("shortcut") || name.contains("downsample");
    if is_shortcut(&first) && !known.iter().any(is_shortcut) {
        return format!(
            "the file has {}, but the shortcuts of the network have no weights (option A of He et al.); the file holds a network with option B",
            list(strangers)
        );
    }
    let near = match brink_config::nearest(first, known.iter().copied()) {
        Some(near) => format!("; the nearest name is `{near}`"),
        None => String::new(),
    };
    format!("`{first}` is not a tensor of the network{near}")
}

/// The first few names, and the number of the others.
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
