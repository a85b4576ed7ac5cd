//! Targets by name.

use brink_config::yaml::{Fault, Node, Value};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use super::Target;

/// The targets of a grid, at least one, with their names and in the order of the grid.
#[derive(Clone, PartialEq)]
pub struct Targets(Vec<(String, Target)>);

impl Targets {
    /// Each name and its target.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Target)> {
        self.0.iter().map(|(name, target)| (name.as_str(), target))
    }

    /// Changes each target.
    pub fn map(self, change: impl Fn(Target) -> Target) -> Self {
        let changed = self.0.into_iter();
        Self(
            changed
                .map(|(name, target)| (name, change(target)))
                .collect(),
        )
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = Targets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping from names to targets, or a list of targets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Targets, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        match all.is_empty() {
            true => Err(A::Error::custom("give at least one target")),
            false => Ok(Targets(all)),
        }
    }
}

/// Turns a list of targets into a mapping from names to targets. An item is the name of a preset,
/// `NAME: {...}`, or a target. A target is named after its data set and model, with a number if that name is taken.
///
/// # Errors
/// If the list is empty, or a name is invalid or in the list twice.
pub fn name(root: &mut Node) -> Result<(), Fault> {
    let Some(targets) = root.entry_mut("targets") else {
        return Ok(());
    };
    if let Value::List(items) = &targets.value {
        let mut named: Vec<(brink_config::yaml::Name, Node)> = Vec::new();
        for item in items {
            let taken = |name: &str| named.iter().any(|(own, _)| own.text == name);
            let (name, target) = match own_name(item) {
                Some((name, _)) if taken(name) => {
                    let problem = format!("`{name}` is in the list twice");
                    return Err(item.fault(problem).hint("delete one"));
                }
                Some((name, target)) => (name.to_owned(), target),
                None => (free(&made(item), taken), item.clone()),
            };
            named.push((item.name(name), target));
        }
        targets.value = match named.is_empty() {
            true => return Err(targets.fault("give at least one target")),
            false => Value::Map(named),
        };
    }
    let Value::Map(entries) = &targets.value else {
        return Ok(());
    };
    let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    match entries
        .iter()
        .find(|(name, _)| name.text.is_empty() || !name.text.bytes().all(plain))
    {
        Some((name, _)) => Err(name
            .fault(format!("`{}` cannot name a target", name.text))
            .hint("use lower-case letters, digits, `-` and `_`, e.g. cifar10-resnet18")),
        None => Ok(()),
    }
}

/// The name and the settings of an item `NAME` or `NAME: {...}`; a target without a name has neither.
fn own_name(item: &Node) -> Option<(&str, Node)> {
    match &item.value {
        Value::Text(name) => Some((name, item.with(Value::Null))),
        Value::Map(entries) => match &entries[..] {
            [(name, target)] if matches!(target.value, Value::Map(_) | Value::Null) => {
                Some((&name.text, target.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A name for a target, made from its data set and model.
fn made(target: &Node) -> String {
    let field = |name: &str| match target.entry(name).map(|node| &node.value) {
        Some(Value::Text(text)) => text.to_lowercase(),
        // The network in a file has the name of its format.
        Some(Value::Map(entries)) if name == "model" && entries.len() == 1 => {
            entries[0].0.text.clone()
        }
        _ => name.to_owned(),
    };
    let text = format!("{}-{}", field("dataset"), field("model"));
    let plain = |c: char| match c {
        'a'..='z' | '0'..='9' | '-' | '_' => c,
        _ => '-',
    };
    text.chars().map(plain).collect()
}

/// `name` if it is not `taken`, else `name` with the first number from 2 that makes it free.
fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_default()
}
