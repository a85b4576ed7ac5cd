//! Overlays: the changes of a scale, in the mapping that they change.
//!
//! Any mapping may hold `desk: {...}`, or `scales: {NAME: {...}}` for custom scales. At that scale the overlay is merged
//! over the mapping that holds it, inner mappings first. At any other scale it is dropped.

use super::fault::Fault;
use super::merge::merge;
use super::tree::{Name, Node, Value};
use crate::Scale;

/// The field that holds an overlay of the scale `desk`.
const DESK: &str = "desk";

/// The field that holds overlays of any scale, by name.
const SCALES: &str = "scales";

/// The fields that hold overlays.
pub const FIELDS: [&str; 2] = [DESK, SCALES];

/// Resolves all overlays inside `node` at `scale`. Adds the names of all scales that have overlays to `names`.
pub(super) fn resolve(node: &mut Node, scale: Scale, names: &mut Vec<String>) -> Result<(), Fault> {
    let entries = match &mut node.value {
        Value::List(items) => {
            return items
                .iter_mut()
                .try_for_each(|item| resolve(item, scale, names));
        }
        Value::Map(entries) => entries,
        _ => return Ok(()),
    };
    let overlays = take(entries)?;
    for (_, value) in entries.iter_mut() {
        resolve(value, scale, names)?;
    }
    for (nth, (name, _)) in overlays.iter().enumerate() {
        if overlays[..nth].iter().any(|(own, _)| own.text == name.text) {
            let problem = format!("`{}` has two overlays here", name.text);
            return Err(Fault::new(name.spot, problem).hint("make them one"));
        }
    }
    for (name, overlay) in overlays {
        check(&name, &overlay)?;
        if scale.name() == name.text {
            merge(node, overlay);
        }
        if !names.contains(&name.text) {
            names.push(name.text);
        }
    }
    Ok(())
}

/// Takes the overlays out of `entries`. Returns each with the name of its scale.
fn take(entries: &mut Vec<(Name, Node)>) -> Result<Vec<(Name, Node)>, Fault> {
    let mut overlays = Vec::new();
    for (name, value) in entries.extract_if(.., |(name, _)| FIELDS.contains(&name.text.as_str())) {
        match value.value {
            _ if name.text == DESK => overlays.push((name, value)),
            Value::Map(scales) => overlays.extend(scales),
            Value::Null => {}
            other => {
                let problem = format!("{other} is not a mapping from scales to overlays");
                return Err(Fault::new(value.spot, problem)
                    .hint("write e.g. `scales: {tiny: {sample_sets: 1}}`"));
            }
        }
    }
    Ok(overlays)
}

/// Refuses an overlay that cannot be merged over the mapping that holds it.
fn check(scale: &Name, overlay: &Node) -> Result<(), Fault> {
    if let Err(error) = Scale::check(&scale.text) {
        return Err(Fault::new(scale.spot, error.to_string()));
    }
    if scale.text == Scale::PAPER.name() {
        return Err(
            Fault::new(scale.spot, "the scale `paper` is the grid without overlays")
                .hint("write these values into the grid itself"),
        );
    }
    if !matches!(overlay.value, Value::Map(_) | Value::Null) {
        let problem = format!(
            "{} is not a mapping of the fields that `{}` changes",
            overlay.value, scale.text
        );
        return Err(Fault::new(overlay.spot, problem).hint(format!(
            "write the fields to change, e.g. `{}: {{sample_sets: 1}}`",
            scale.text
        )));
    }
    match inner(overlay) {
        Some(name) => Err(Fault::new(
            name.spot,
            format!("`{}` is inside `{}`", name.text, scale.text),
        )
        .hint("write one overlay beside the other")),
        None => Ok(()),
    }
}

/// The name of an overlay inside `node`, if there is one.
fn inner(node: &Node) -> Option<&Name> {
    match &node.value {
        Value::List(items) => items.iter().find_map(inner),
        Value::Map(entries) => {
            entries
                .iter()
                .find_map(|(name, value)| match FIELDS.contains(&name.text.as_str()) {
                    true => Some(name),
                    false => inner(value),
                })
        }
        _ => None,
    }
}
