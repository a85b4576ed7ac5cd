//! A YAML reader whose errors name the place of a mistake and its fix.
//!
//! A file and its includes become one tree, in which each node knows its position. The overlays of a [`Scale`] and the
//! overrides (`--set path=value`) are merged over the tree. Then the tree is read into the wanted type. So every error
//! names the file, line and column or the override that caused it. It shows the value, and suggests the nearest name
//! for an unknown one.
//!
//! These rules go beyond YAML:
//!
//! * An enum variant is written `name: {fields}`. A bare `name` or `name:` has all defaults.
//! * Where the type is a [`Sweep`], a list in a field stands for one entry per item.
//! * Numbers are finite and decimal. Only `true` and `false` are booleans. Tags are refused.
//!
//! A [`Veil`] keeps a secret out of all messages.

mod error;
mod fault;
mod file;
mod include;
mod merge;
mod number;
mod overrides;
mod parse;
mod reader;
mod scalar;
mod scales;
mod spot;
mod sweep;
mod syntax;
mod tree;
mod veil;
mod write;

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

pub use error::{Error, Place};
pub use fault::Fault;
pub use include::FIELD as INCLUDE;
pub use merge::merge;
pub use scales::FIELDS as OVERLAYS;
pub use sweep::Sweep;
pub use tree::{Name, Node, Value};
pub use veil::Veil;

use crate::Scale;
use error::Sources;
use file::File;
use include::Includes;
use spot::{Source, Spot};

/// A YAML document, with its includes and its overrides.
pub struct Document {
    /// The file itself, then what it includes.
    files: Vec<File>,
    /// The overrides.
    arguments: Vec<String>,
    root: Node,
    veil: Veil,
}

impl Document {
    /// Reads the file at `path` and its includes, each with `read`. Messages show nothing that `veil` hides.
    ///
    /// A file may have `include: [FILE, ...]` at its top. The paths are relative to the folder of the file. The includes
    /// are merged in this order, and the file itself over them: see [`merge()`].
    ///
    /// # Errors
    /// If a file cannot be read, is not YAML, or includes itself. If an include is outside the folder of the first file,
    /// or there are more than 100 files.
    pub fn open(
        path: &Path,
        read: &dyn Fn(&Path) -> io::Result<String>,
        veil: Veil,
    ) -> Result<Self, Error> {
        let mut includes = Includes::new(read, veil);
        let root = includes.load(path);
        Self::of(includes.files, root, veil)
    }

    /// Parses `text`, which may not include files. Messages call it `name`, and show nothing that `veil` hides.
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
        match root {
            Ok(root) => Ok(Self {
                files,
                arguments: Vec::new(),
                root,
                veil,
            }),
            Err(fault) => Err(Sources {
                files: &files,
                arguments: &[],
                veil,
            }
            .explain(fault)),
        }
    }

    /// Merges each overlay of `scale` over the mapping that holds it, and drops all other overlays. Returns the names of
    /// all scales that have overlays.
    ///
    /// ```
    /// use brink_config::{Scale, yaml::{Document, Veil}};
    ///
    /// let grid = "seeds: 5\ntargets: {a: {images: 9, desk: {images: 2}}}\ndesk: {seeds: 1}\n";
    /// let mut grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// grid.at_scale(Scale::DESK)?;
    /// let json: serde_json::Value = grid.read()?;
    /// assert_eq!(json, serde_json::json!({"seeds": 1, "targets": {"a": {"images": 2}}}));
    /// # Ok::<(), brink_config::yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an overlay is no mapping, is for `paper`, or is inside another overlay.
    pub fn at_scale(&mut self, scale: Scale) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        self.change(|root| scales::resolve(root, scale, &mut names))?;
        Ok(names)
    }

    /// Applies overrides in order, each `path=value`. The value is YAML.
    ///
    /// Dots separate the parts of the path. A part is one of:
    ///
    /// * a key of a mapping, which is added if it is missing;
    /// * the index of a list item, from 0;
    /// * the name of an enum variant, if exactly one list item is this variant;
    /// * `*`, which is every entry of a list or mapping.
    ///
    /// ```
    /// use brink_config::yaml::{Document, Veil};
    ///
    /// let grid = "generators:\n  - dbi\n  - ours: {iterations: 1000}\n";
    /// let mut grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// grid.set(&["generators.ours.iterations=5"])?;
    /// let json: serde_json::Value = grid.read()?;
    /// assert_eq!(json["generators"][1]["ours"]["iterations"], 5);
    /// # Ok::<(), brink_config::yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an override has no `=`, its value is not YAML, or its path leads nowhere.
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
    /// Those of `change`.
    pub fn change(
        &mut self,
        change: impl FnOnce(&mut Node) -> Result<(), Fault>,
    ) -> Result<(), Error> {
        change(&mut self.root).map_err(|fault| self.explain(fault))
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// If it does not hold a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        reader::read(&self.root).map_err(|fault| self.explain(fault))
    }

    /// An error at the value at `path`. If there is no such value, it is at the closest value around it. It serves
    /// mistakes that are found only after reading. `path` is as in [`Document::set`], but list items have only indices.
    ///
    /// ```
    /// use brink_config::yaml::{Document, Veil};
    ///
    /// let grid = "name: a\nseeds:\n  # first\n  - 1\n  - 2\n";
    /// let grid = Document::parse("grid.yaml", grid, Veil::NONE)?;
    /// let error = grid.error("seeds.1", "2 is too large").to_string();
    /// assert_eq!(error, "grid.yaml:5:5: 2 is too large\n  |\n5 |   - 2\n  |     ^");
    /// # Ok::<(), brink_config::yaml::Error>(())
    /// ```
    pub fn error(&self, path: &str, message: impl Into<String>) -> Error {
        let path: Vec<&str> = path.split('.').collect();
        self.explain(Fault::new(self.root.closest(&path), message))
    }

    /// The overrides that left nothing in the tree.
    pub fn without_effect(&self) -> impl Iterator<Item = &str> {
        let mut left = vec![false; self.arguments.len()];
        self.root.visit(&mut |node| {
            // Mappings merge, so only what is in them says whether something is left.
            let merged = matches!(&node.value, Value::Map(entries) if !entries.is_empty());
            if let (Source::Argument(index), false) = (node.spot.source, merged) {
                left[index] = true;
            }
        });
        let lost = self.arguments.iter().zip(left).filter(|(_, left)| !left);
        lost.map(|(argument, _)| argument.as_str())
    }

    /// The tree as YAML. With `with_origins`, a comment behind each value names its file and line, or its override.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let origin = |spot: Spot| match spot.source {
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

/// Reads `text`. Messages call it `name`.
///
/// # Errors
/// If the text is not YAML or does not hold a `T`.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    parse_with(name, text, &[] as &[&str])
}

/// Reads `text` under `overrides`, as [`Document::set`] applies them. Messages call it `name`.
///
/// # Errors
/// Those of [`parse`] and [`Document::set`].
pub fn parse_with<T: DeserializeOwned>(
    name: &str,
    text: &str,
    overrides: &[impl AsRef<str>],
) -> Result<T, Error> {
    let mut document = Document::parse(name, text, Veil::NONE)?;
    document.set(overrides)?;
    document.read()
}
