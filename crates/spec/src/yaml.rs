//! Reading YAML so that every mistake is answered with its place and its fix.
//!
//! The text becomes a tree whose nodes know where they stand. Overrides (`--set path=value`) are laid over the tree, each
//! node knowing its argument, and only then is the tree read into the wanted type. So every error names either file,
//! line and column or the argument that caused it, shows the value, and offers the nearest name for an unknown one.
//!
//! What the files may rely on beyond YAML itself: an enum variant is written `name: {fields}`, and a bare `name` or
//! `name:` stands for all of its defaults; where the type is a [`Sweep`], lists in fields stand for an entry each; numbers are
//! finite and decimal; only `true` and `false` are booleans; tags are refused. A [`Veil`] keeps a secret out of all messages.

mod error;
mod number;
mod overrides;
mod reader;
mod sweep;
mod syntax;
mod tree;
mod veil;

use serde::de::DeserializeOwned;

pub use error::{Error, Place};
pub use sweep::Sweep;
pub use veil::Veil;

use error::{Fault, Sources};

/// A text in YAML.
pub struct Document {
    name: String,
    text: String,
    root: tree::Node,
    veil: Veil,
}

impl Document {
    /// Parses `text`, which messages call `name`. They show nothing that `veil` hides.
    ///
    /// # Errors
    /// If the text is not YAML.
    pub fn parse(
        name: impl Into<String>,
        text: impl Into<String>,
        veil: Veil,
    ) -> Result<Self, Error> {
        let (name, text) = (name.into(), text.into());
        let parsed = tree::Node::parse(&text, tree::FILE).and_then(|root| {
            match veil.stretches(&text, Some(&root)).leak(&root) {
                None => Ok(root),
                Some(spot) => Err(
                    Fault::new(spot, "an alias joins the secret and something else")
                        .hint("write both out"),
                ),
            }
        });
        match parsed {
            Ok(root) => Ok(Self {
                name,
                text,
                root,
                veil,
            }),
            Err(fault) => Err(Sources {
                name: &name,
                text: &text,
                root: None,
                arguments: &[],
                veil,
            }
            .explain(fault)),
        }
    }

    /// Reads it under `overrides`, each `path=value`.
    ///
    /// The path's parts are separated by dots; each one is a key of a mapping, the index (from 0) of a list item, or the name
    /// of the only list item that is this enum variant. Keys that are not there are added. The value is YAML.
    ///
    /// ```
    /// use spec::yaml::{Document, Veil};
    ///
    /// let grid = "generators:\n  - dbi\n  - ours: {iterations: 1000}\n";
    /// let grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// let json: serde_json::Value = grid.read(&["generators.ours.iterations=5"])?;
    /// assert_eq!(json["generators"][1]["ours"]["iterations"], 5);
    /// # Ok::<(), spec::yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it does not hold a `T`, an override has no value, its path leads nowhere, or it makes the text hold no `T`.
    pub fn read<T: DeserializeOwned>(&self, overrides: &[impl AsRef<str>]) -> Result<T, Error> {
        let arguments: Vec<&str> = overrides.iter().map(AsRef::as_ref).collect();
        let tree = || {
            let mut root = self.root.clone();
            for (i, argument) in arguments.iter().enumerate() {
                overrides::apply(&mut root, argument, i)?;
            }
            reader::read(&root)
        };
        tree().map_err(|fault: Fault| {
            Sources {
                name: &self.name,
                text: &self.text,
                root: Some(&self.root),
                arguments: &arguments,
                veil: self.veil,
            }
            .explain(fault)
        })
    }

    /// The line, from 1, on which the value at `path` begins: for mistakes that show only after all is read. The path is one of an
    /// override, with indices for list items.
    ///
    /// ```
    /// use spec::yaml::{Document, Veil};
    ///
    /// let grid = "name: a\ndesk:\n  # first\n  - seed=1\n  - seed=2\n";
    /// let grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// assert_eq!(grid.line("desk.1"), Some(5));
    /// assert_eq!(grid.line("desk.2"), None);
    /// # Ok::<(), spec::yaml::Error>(())
    /// ```
    pub fn line(&self, path: &str) -> Option<usize> {
        let path: Vec<&str> = path.split('.').collect();
        self.root.get(&path).map(|node| node.spot.line)
    }
}

/// Reads `text`, which messages call `name`.
///
/// # Errors
/// If the text is not YAML or does not hold a `T`.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    parse_with(name, text, &[] as &[&str])
}

/// Reads `text`, which messages call `name`, under `overrides`, as [`Document::read`] does.
///
/// # Errors
/// As [`parse`], and as [`Document::read`].
pub fn parse_with<T: DeserializeOwned>(
    name: &str,
    text: &str,
    overrides: &[impl AsRef<str>],
) -> Result<T, Error> {
    Document::parse(name, text, Veil::NONE)?.read(overrides)
}
