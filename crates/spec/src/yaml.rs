//! Reading YAML so that every mistake is answered with its place and its fix.
//!
//! The text becomes a tree whose nodes know where they stand. Overrides (`--set path=value`) are laid over the tree, each
//! node knowing its argument, and only then is the tree read into the wanted type. So every error names either file,
//! line and column or the argument that caused it, shows the value, and offers the nearest name for an unknown one.
//!
//! What the files may rely on beyond YAML itself: an enum variant is written `name: {fields}`, and a bare `name` or
//! `name:` stands for all of its defaults; where the type is a [`Sweep`], lists in fields stand for an entry each; numbers are
//! finite; only `true` and `false` are booleans.

mod error;
mod overrides;
mod reader;
mod sweep;
mod tree;

use serde::de::DeserializeOwned;

pub use error::{Error, Place};
pub use sweep::Sweep;

use error::{Fault, Sources};

/// Reads `text`, which messages call `name`.
///
/// # Errors
/// If the text is not YAML or does not hold a `T`.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    parse_with(name, text, &[] as &[&str])
}

/// Reads `text`, which messages call `name`, under `overrides`, each `path=value`.
///
/// The path's parts are separated by dots; each one is a key of a mapping, the index (from 0) of a list item, or the name
/// of the only list item that is this enum variant. Keys that are not there are added. The value is YAML.
///
/// ```
/// let grid = "generators:\n  - dbi\n  - ours: {iterations: 1000}\n";
/// let json: serde_json::Value = spec::yaml::parse_with("grid.yaml", grid, &["generators.ours.iterations=5"])?;
/// assert_eq!(json["generators"][1]["ours"]["iterations"], 5);
/// # Ok::<(), spec::yaml::Error>(())
/// ```
///
/// # Errors
/// As [`parse`], or if an override has no value, its path leads nowhere, or it makes the text hold no `T`.
pub fn parse_with<T: DeserializeOwned>(
    name: &str,
    text: &str,
    overrides: &[impl AsRef<str>],
) -> Result<T, Error> {
    let arguments: Vec<&str> = overrides.iter().map(AsRef::as_ref).collect();
    let sources = Sources {
        name,
        text,
        arguments: &arguments,
    };
    let tree = || {
        let mut root = tree::Node::parse(text, tree::FILE)?;
        for (i, argument) in arguments.iter().enumerate() {
            overrides::apply(&mut root, argument, i)?;
        }
        reader::read(&root)
    };
    tree().map_err(|fault: Fault| sources.explain(fault))
}

/// The line of `text`, from 1, on which the value at `path` begins: for mistakes that show only after all is read. The path is one of an
/// override, with indices for list items.
///
/// ```
/// let grid = "name: a\ndesk:\n  # first\n  - seed=1\n  - seed=2\n";
/// assert_eq!(spec::yaml::line(grid, "desk.1"), Some(5));
/// assert_eq!(spec::yaml::line(grid, "desk.2"), None);
/// ```
pub fn line(text: &str, path: &str) -> Option<usize> {
    let root = tree::Node::parse(text, tree::FILE).ok()?;
    let path: Vec<&str> = path.split('.').collect();
    root.get(&path).map(|node| node.spot.line)
}
