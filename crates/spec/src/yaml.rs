//! Reading YAML so that every mistake is answered with its place and its fix.
//!
//! A file and all that it includes become one tree whose nodes know where they stand. The overlays of a [`Scale`] and overrides
//! (`--set path=value`) are laid over the tree, and only then is it read into the wanted type. So every error names either file,
//! line and column or the argument that caused it, shows the value, and offers the nearest name for an unknown one.
//!
//! What the files may rely on beyond YAML itself: an enum variant is written `name: {fields}`, and a bare `name` or
//! `name:` stands for all of its defaults; where the type is a [`Sweep`], lists in fields stand for an entry each; numbers are
//! finite and decimal; only `true` and `false` are booleans; tags are refused. A [`Veil`] keeps a secret out of all messages.

mod error;
mod include;
mod merge;
mod number;
mod overrides;
mod reader;
mod scales;
mod sweep;
mod syntax;
mod tree;
mod veil;
mod write;

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

pub use error::{Error, Fault, Place};
pub use include::FIELD as INCLUDE;
pub use merge::merge;
pub use scales::FIELDS as OVERLAYS;
pub use sweep::Sweep;
pub use tree::{Name, Node, Value};
pub use veil::Veil;

use crate::Scale;
use error::Sources;
use include::{File, Includes};
use tree::Source;

/// A text in YAML, with what it includes and what was changed of it.
pub struct Document {
    /// The file itself, then what it includes.
    files: Vec<File>,
    /// The overrides.
    arguments: Vec<String>,
    root: Node,
    veil: Veil,
}

impl Document {
    /// Reads the file at `path` and all that it includes, each by `read`. Messages show nothing that `veil` hides.
    ///
    /// A file may say `include: [FILE, ...]` at its top, relative to its own folder. The files are merged in this order, and the file
    /// itself over them: mappings merge, everything else is replaced, later wins.
    ///
    /// # Errors
    /// If a file cannot be read, is not YAML, includes itself, or includes a file that is not in the folder of the first or below.
    pub fn open(
        path: &Path,
        read: &dyn Fn(&Path) -> io::Result<String>,
        veil: Veil,
    ) -> Result<Self, Error> {
        let mut includes = Includes::new(read, veil);
        let root = includes.load(path);
        Self::of(includes.files, root, veil)
    }

    /// Parses `text`, which messages call `name` and which includes nothing. Messages show nothing that `veil` hides.
    ///
    /// # Errors
    /// If the text is not YAML.
    pub fn parse(
        name: impl Into<String>,
        text: impl Into<String>,
        veil: Veil,
    ) -> Result<Self, Error> {
        let unread = |_: &Path| Err(io::ErrorKind::Unsupported.into());
        let mut includes = Includes::new(&unread, veil);
        let root = includes.parse(name.into(), text.into());
        Self::of(includes.files, root, veil)
    }

    fn of(files: Vec<File>, root: Result<Node, Fault>, veil: Veil) -> Result<Self, Error> {
        let (root, fault) = match root {
            Ok(root) => (root, None),
            Err(fault) => (Node::empty(), Some(fault)),
        };
        let document = Self {
            files,
            arguments: Vec::new(),
            root,
            veil,
        };
        match fault {
            None => Ok(document),
            Some(fault) => Err(document.explain(fault)),
        }
    }

    /// Merges the overlays of `scale` over what they stand beside and drops all others. Returns the names of the scales that have overlays.
    ///
    /// ```
    /// use spec::{Scale, yaml::{Document, Veil}};
    ///
    /// let grid = "seeds: 5\ntargets: {a: {images: 9, desk: {images: 2}}}\ndesk: {seeds: 1}\n";
    /// let mut grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// grid.at_scale(Scale::DESK)?;
    /// let json: serde_json::Value = grid.read()?;
    /// assert_eq!(json, serde_json::json!({"seeds": 1, "targets": {"a": {"images": 2}}}));
    /// # Ok::<(), spec::yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an overlay is no mapping, or stands inside of another one.
    pub fn at_scale(&mut self, scale: Scale) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        match scales::resolve(&mut self.root, scale, &mut names) {
            Ok(()) => Ok(names),
            Err(fault) => Err(self.explain(fault)),
        }
    }

    /// Lays overrides over it, each `path=value`.
    ///
    /// The path's parts are separated by dots; each one is a key of a mapping, the index (from 0) of a list item, or the name
    /// of the only list item that is this enum variant; `*` is every entry. Keys that are not there are added. The value is YAML.
    ///
    /// ```
    /// use spec::yaml::{Document, Veil};
    ///
    /// let grid = "generators:\n  - dbi\n  - ours: {iterations: 1000}\n";
    /// let mut grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// grid.set(&["generators.ours.iterations=5"])?;
    /// let json: serde_json::Value = grid.read()?;
    /// assert_eq!(json["generators"][1]["ours"]["iterations"], 5);
    /// # Ok::<(), spec::yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an override has no value, or its path leads nowhere.
    pub fn set(&mut self, overrides: &[impl AsRef<str>]) -> Result<(), Error> {
        for argument in overrides {
            let (argument, index) = (argument.as_ref(), self.arguments.len());
            self.arguments.push(argument.to_owned());
            if let Err(fault) = overrides::apply(&mut self.root, argument, index) {
                return Err(self.explain(fault));
            }
        }
        Ok(())
    }

    /// Changes the tree.
    ///
    /// # Errors
    /// What `change` finds wrong.
    pub fn change(
        &mut self,
        change: impl FnOnce(&mut Node) -> Result<(), Fault>,
    ) -> Result<(), Error> {
        change(&mut self.root).map_err(|fault| self.explain(fault))
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it does not hold a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        reader::read(&self.root).map_err(|fault| self.explain(fault))
    }

    /// Where the value at `path` stands: the file and the line, from 1, on which it begins; none if an override put it there. For mistakes
    /// that show only after all is read. The path is one of an override, with indices for list items.
    ///
    /// ```
    /// use spec::yaml::{Document, Veil};
    ///
    /// let grid = "name: a\nseeds:\n  # first\n  - 1\n  - 2\n";
    /// let grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// assert_eq!(grid.line("seeds.1"), Some(("grid.yaml", 5)));
    /// assert_eq!(grid.line("seeds.2"), None);
    /// # Ok::<(), spec::yaml::Error>(())
    /// ```
    pub fn line(&self, path: &str) -> Option<(&str, usize)> {
        let path: Vec<&str> = path.split('.').collect();
        let spot = self.root.get(&path)?.spot;
        match spot.source {
            Source::File(file) => Some((&self.files[file].name, spot.line)),
            Source::Argument(_) => None,
        }
    }

    /// The overrides of which nothing is left in the tree.
    pub fn without_effect(&self) -> Vec<&str> {
        let mut left = vec![false; self.arguments.len()];
        self.root.visit(&mut |spot| {
            if let Source::Argument(index) = spot.source {
                left[index] = true;
            }
        });
        let lost = self.arguments.iter().zip(left).filter(|(_, left)| !left);
        lost.map(|(argument, _)| argument.as_str()).collect()
    }

    /// The tree as YAML, with the place that each value is from as a comment behind it, if these are wanted.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let origin = |spot: tree::Spot| match spot.source {
            Source::File(file) => format!("{}:{}", self.files[file].name, spot.line),
            Source::Argument(index) => {
                format!("--set {}", self.veil.argument(&self.arguments[index]))
            }
        };
        match with_origins {
            true => write::yaml(&self.root, &|spot| Some(origin(spot))),
            false => write::yaml(&self.root, &|_| None),
        }
    }

    fn explain(&self, fault: Fault) -> Error {
        let sources = Sources {
            files: &self.files,
            arguments: &self.arguments,
            veil: self.veil,
        };
        sources.explain(fault)
    }
}

/// Reads `text`, which messages call `name`.
///
/// # Errors
/// If the text is not YAML or does not hold a `T`.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    parse_with(name, text, &[] as &[&str])
}

/// Reads `text`, which messages call `name`, under `overrides`, as [`Document::set`] lays them.
///
/// # Errors
/// As [`parse`], and as [`Document::set`].
pub fn parse_with<T: DeserializeOwned>(
    name: &str,
    text: &str,
    overrides: &[impl AsRef<str>],
) -> Result<T, Error> {
    let mut document = Document::parse(name, text, Veil::NONE)?;
    document.set(overrides)?;
    document.read()
}
