//! Finds the state dict in the saved object, alone or beside the epoch, the optimiser's state and other values.

use crate::error::{CHOOSE, SAVE, Shown};
use crate::names::last;
use crate::pickle::{Pickle, Ref, Value};
use crate::{Error, Result, torch};

/// The last part of the names of parameters and buffers.
const PARAMETERS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// A value, the place that contains it, and its key there.
struct Place {
    value: Ref,
    within: Option<usize>,
    label: String,
}

/// A state dict.
pub(crate) struct Found<'a> {
    /// The keys that lead to it, joined by dots; empty if it is the saved object itself.
    pub within: String,
    /// Names and tensors.
    pub tensors: Vec<(&'a str, Ref)>,
}

/// The only state dict in a pickle.
pub(crate) fn find<'a>(pickle: &Pickle<'a>) -> Result<Found<'a>> {
    let places = places(pickle);
    let dicts: Vec<usize> = (0..places.len())
        .filter(|&at| !tensors(pickle, places[at].value).is_empty())
        .collect();
    // A file may hold other tensors too, such as the mean and standard deviation of the images.
    let has_weights = |&at: &usize| {
        let tensors = tensors(pickle, places[at].value);
        tensors.iter().any(|(name, _)| last(name) == "weight")
    };
    let networks: Vec<usize> = dicts.iter().copied().filter(has_weights).collect();
    let candidates = if networks.is_empty() { dicts } else { networks };
    match candidates[..] {
        [at] => Ok(Found {
            within: match at {
                0 => String::new(),
                at => path(&places, at),
            },
            tensors: entries(pickle, places[at].value)?,
        }),
        [first, second, ..] => Err(Error::Ambiguous {
            what: "holds more than one state dict",
            first: path(&places, first),
            second: path(&places, second),
            fix: CHOOSE,
        }),
        [] => Err(nothing(pickle)),
    }
}

/// Every dictionary, list and tuple that the root leads to, each once.
fn places(pickle: &Pickle<'_>) -> Vec<Place> {
    let mut seen = vec![false; pickle.values().len()];
    seen[pickle.root().index()] = true;
    let mut places = vec![Place {
        value: pickle.root(),
        within: None,
        label: String::new(),
    }];
    let mut at = 0;
    while let Some(place) = places.get(at) {
        for (label, value) in inner(pickle, place.value) {
            if !std::mem::replace(&mut seen[value.index()], true) {
                places.push(Place {
                    value,
                    within: Some(at),
                    label,
                });
            }
        }
        at += 1;
    }
    places
}

/// The dictionaries, lists and tuples directly within a value, with their keys.
fn inner(pickle: &Pickle<'_>, value: Ref) -> Vec<(String, Ref)> {
    let leads = |value: Ref| pickle.entries(value).is_some() || pickle.sequence(value).is_some();
    if let Some(items) = pickle.entries(value) {
        let is_groups = |&(key, _): &(Ref, Ref)| pickle.text(key) == Some("param_groups");
        // The state of an optimiser has as many tensors as the network, but no weights.
        if items.iter().any(is_groups) {
            return Vec::new();
        }
        let items = items.iter().filter(|(_, value)| leads(*value));
        items
            .filter_map(|&(key, value)| Some((pickle.text(key)?.to_owned(), value)))
            .collect()
    } else {
        let items = pickle.sequence(value).unwrap_or_default().iter();
        items
            .enumerate()
            .filter(|(_, value)| leads(**value))
            .map(|(index, &value)| (index.to_string(), value))
            .collect()
    }
}

/// The tensors of a dictionary that have a string as key.
fn tensors<'a>(pickle: &Pickle<'a>, dict: Ref) -> Vec<(&'a str, Ref)> {
    let entries = pickle.entries(dict).unwrap_or_default().iter();
    entries
        .filter(|(_, value)| torch::is_tensor(pickle, *value))
        .filter_map(|&(key, value)| Some((pickle.text(key)?, value)))
        .collect()
}

/// The tensors of the state dict. Fails if a parameter is not a tensor.
fn entries<'a>(pickle: &Pickle<'a>, dict: Ref) -> Result<Vec<(&'a str, Ref)>> {
    for &(key, value) in pickle.entries(dict).unwrap_or_default() {
        if let Some(name) = pickle.text(key)
            && PARAMETERS.contains(&last(name))
            && !torch::is_tensor(pickle, value)
        {
            let problem = format!("is {}, not a PyTorch tensor", pickle.describe(value));
            return Err(Error::tensor(name, problem, SAVE));
        }
    }
    Ok(tensors(pickle, dict))
}

/// The error that says why there is no state dict.
fn nothing(pickle: &Pickle<'_>) -> Error {
    let root = pickle.root();
    if torch::is_tensor(pickle, root) {
        return Error::Content {
            what: "holds one tensor without a name".into(),
            fix: SAVE,
        };
    }
    let is_module = |value: &&Value<'_>| match value {
        Value::Object(object) => object.state.is_some_and(|state| {
            let entries = pickle.entries(state).unwrap_or_default().iter();
            let mut keys = entries.filter_map(|&(key, _)| pickle.text(key));
            keys.any(|key| key == "_parameters")
        }),
        _ => false,
    };
    match pickle.values().iter().find(is_module) {
        Some(Value::Object(module)) => Error::Content {
            what: format!(
                "holds a whole module, code included, of class {}",
                pickle.describe(module.callee)
            ),
            fix: SAVE,
        },
        _ => Error::Empty,
    }
}

/// The keys that lead to a place, joined by dots.
fn path(places: &[Place], at: usize) -> String {
    const DEEPEST: usize = 8;
    let mut labels = Vec::new();
    let mut next = Some(at);
    while let Some(place) = next.map(|at| &places[at]) {
        if place.within.is_some() {
            labels.push(Shown(&place.label).to_string());
        }
        next = place.within.filter(|_| labels.len() < DEEPEST);
    }
    match labels.is_empty() {
        true => "the file itself".into(),
        false => {
            labels.reverse();
            labels.join(".")
        }
    }
}
