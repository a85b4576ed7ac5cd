//! Overrides, `--set path=value`: set one value in the tree, or one in every entry of a list or mapping.

use super::fault::Fault;
use super::parse::parse;
use super::scales;
use super::spot::{Source, Spot};
use super::tree::{Name, Node, Value};
use crate::nearest;

/// Applies the override `argument`, which has the index `index`, to `root`.
pub(super) fn apply(root: &mut Node, argument: &str, index: usize) -> Result<(), Fault> {
    let spot = Spot::argument(index);
    let Some((path, value)) = argument.split_once('=') else {
        return Err(Fault::new(spot, "there is no equals sign")
            .hint("write path=value, e.g. attack_seeds=3"));
    };
    let value = parse(value, Source::Argument(index))?;
    let parts: Vec<&str> = path.split('.').map(str::trim).collect();
    if parts.contains(&"") {
        return Err(Fault::new(spot, "a part of the path is empty")
            .hint("write path=value, e.g. attack_seeds=3"));
    }
    if let Some(overlay) = parts.iter().find(|part| scales::FIELDS.contains(part)) {
        let problem =
            format!("`{overlay}` is merged before overrides apply, so this has no effect");
        return Err(
            Fault::new(spot, problem).hint("override the field itself, or choose another --scale")
        );
    }
    lay(root, &parts, 0, &value, spot)
}

/// Puts `value` at the path that the parts from `at` on name inside `node`. The part `*` is every entry.
fn lay(node: &mut Node, parts: &[&str], at: usize, value: &Node, spot: Spot) -> Result<(), Fault> {
    let Some(&part) = parts.get(at) else {
        *node = value.clone();
        return Ok(());
    };
    match (part, &mut node.value) {
        ("*", Value::List(items)) => {
            return items
                .iter_mut()
                .try_for_each(|item| lay(item, parts, at + 1, value, spot));
        }
        ("*", Value::Map(entries)) => {
            return entries
                .iter_mut()
                .try_for_each(|(_, entry)| lay(entry, parts, at + 1, value, spot));
        }
        _ => {}
    }
    let node = step(node, part, &parts[..at].join("."), spot)?;
    lay(node, parts, at + 1, value, spot)
}

/// The place called `part` inside `node`. `done` is the path of `node`.
fn step<'a>(node: &'a mut Node, part: &str, done: &str, spot: Spot) -> Result<&'a mut Node, Fault> {
    let bare = matches!(&node.value, Value::Text(name) | Value::Typed(_, name) if name == part);
    if bare || matches!(node.value, Value::Null) {
        node.value = Value::Map(Vec::new()); // a name without settings gets an empty mapping for them
    }
    match &mut node.value {
        Value::Map(entries) => Ok(entry(entries, part, spot)),
        Value::List(items) => item(items, part, done, spot),
        value => Err(Fault::new(
            spot,
            format!("`{done}` is {value}, which has no `{part}` inside"),
        )),
    }
}

/// The value called `key`. It is added if it is missing.
fn entry<'a>(entries: &'a mut Vec<(Name, Node)>, key: &str, spot: Spot) -> &'a mut Node {
    let at = entries
        .iter()
        .position(|(name, _)| name.text == key)
        .unwrap_or_else(|| {
            let name = Name {
                spot,
                text: key.to_owned(),
            };
            entries.push((name, Node::null(spot)));
            entries.len() - 1
        });
    &mut entries[at].1
}

/// The item at the index `part`, or the content of the only item with the variant `part`.
fn item<'a>(
    items: &'a mut [Node],
    part: &str,
    done: &str,
    spot: Spot,
) -> Result<&'a mut Node, Fault> {
    let count = items.len();
    if let Ok(index) = part.parse::<usize>() {
        return items.get_mut(index).ok_or_else(|| {
            Fault::new(spot, format!("`{done}` has no item {index}"))
                .hint(format!("items are counted from 0, and there are {count}"))
        });
    }
    let names: Vec<&str> = items.iter().filter_map(variant).collect();
    let is_meant = |at: &usize| variant(&items[*at]) == Some(part);
    let matches: Vec<usize> = (0..count).filter(is_meant).collect();
    let at = match matches[..] {
        [at] => at,
        [] => {
            let problem = format!("`{done}` has no item `{part}`");
            let fix = match names.is_empty() {
                true => {
                    format!("name an item by its index from 0, or all by `*`, e.g. {done}.*.{part}")
                }
                false => nearest::hint(part, &names),
            };
            return Err(Fault::new(spot, problem).hint(fix));
        }
        [first, ..] => {
            let problem = format!("`{done}` has {} items `{part}`", matches.len());
            let fix = format!("name one by its index from 0, e.g. {done}.{first}.{part}");
            return Err(Fault::new(spot, problem).hint(fix));
        }
    };
    step(&mut items[at], part, done, spot)
}

/// The variant of a list item, which is `name` or `name: content`.
fn variant(item: &Node) -> Option<&str> {
    match &item.value {
        Value::Text(text) | Value::Typed(_, text) => Some(text),
        Value::Map(entries) => match entries.as_slice() {
            [(name, _)] => Some(&name.text),
            _ => None,
        },
        Value::Null | Value::List(_) => None,
    }
}
