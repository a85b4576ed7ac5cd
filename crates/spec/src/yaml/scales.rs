//! Overlays: what a scale changes stands beside what it changes, in the same shape.
//!
//! Any mapping may hold `desk: {...}`, or `scales: {NAME: {...}}` for scales of one's own. At that scale the overlay is merged
//! over the mapping in which it stands, inner mappings first; at any other scale it is dropped.

use super::error::Fault;
use super::merge::merge;
use super::tree::{Name, Node, Value};
use crate::Scale;

/// The scale whose overlays have a field of their own.
const DESK: &str = "desk";

/// Overlays of any scale, by its name.
const SCALES: &str = "scales";

/// The fields that hold overlays.
pub const FIELDS: [&str; 2] = [DESK, SCALES];

/// Resolves all overlays inside of `node` at `scale`, and notes in `names` of which scales there are any.
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

/// Takes the overlays, each with its scale, out of `entries`.
fn take(entries: &mut Vec<(Name, Node)>) -> Result<Vec<(Name, Node)>, Fault> {
    let mut overlays = Vec::new();
    for (name, value) in entries.extract_if(.., |(name, _)| FIELDS.contains(&name.text.as_str())) {
        match value.value {
            _ if name.text == DESK => overlays.push((name, value)),
            Value::Map(scales) => overlays.extend(scales),
            Value::Null => {}
            other => {
                let problem = format!("{other} is not a mapping from scales to what they change");
                return Err(Fault::new(value.spot, problem)
                    .hint("write e.g. `scales: {tiny: {sample_sets: 1}}`"));
            }
        }
    }
    Ok(overlays)
}

/// Refuses an overlay that could not be laid over the mapping in which it stands.
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
            "{} is not a mapping of what `{}` changes",
            overlay.value, scale.text
        );
        return Err(Fault::new(overlay.spot, problem).hint(format!(
            "write fields as beside it, e.g. `{}: {{sample_sets: 1}}`",
            scale.text
        )));
    }
    match inner(overlay) {
        Some(name) => Err(Fault::new(
            name.spot,
            format!("`{}` stands inside of `{}`", name.text, scale.text),
        )
        .hint("write one overlay beside the other")),
        None => Ok(()),
    }
}

/// An overlay inside of `node`.
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
