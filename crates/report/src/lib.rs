//! Records in, tables and figures out.
//!
//! A table is a value ([`Table`]) built once from records; formats only render it. The same holds for a [`figure`]. The
//! paper's own numbers ([`paper`]) stand beside ours wherever that is fair, and are labelled where it is only nearly so.
//!
//! Nothing here opens a model or a sample: what a table says is in the records.

pub mod figure;
pub mod markup;
pub mod paper;
pub mod table3;

mod error;
mod frame;
mod pool;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use store::{RunRecord, SetRecord, Store, TargetRecord};

pub use error::Error;
pub use figure::Figure;
pub use markup::Markup;
pub use paper::{Kinship, Measure, Paper};
pub use table::{Align, Cell, Column, Row, Table};
pub use table3::NotRun;

/// The records that a report is made of.
///
/// Only what the runs refer to is shown: who wants the table of one grid hands over that grid's runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// The targets.
    pub targets: Vec<TargetRecord>,
    /// The sample sets.
    pub sets: Vec<SetRecord>,
    /// The runs.
    pub runs: Vec<RunRecord>,
}

impl Records {
    /// All records of a results folder.
    ///
    /// # Errors
    /// The first record that cannot be read.
    pub fn read(store: &Store) -> Result<Self, Error> {
        Ok(Self {
            targets: store.targets()?,
            sets: store.sets()?,
            runs: store.runs()?,
        })
    }
}

/// A report: tables for people, one for data files, and a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The tables for people, the most important first.
    pub tables: Vec<Table>,
    /// Everything in long form.
    pub data: Table,
    /// The figure.
    pub figure: Figure,
}

impl Document {
    /// All tables for people in one text.
    pub fn render(&self, markup: Markup) -> String {
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|table| table.render(markup))
            .collect();
        tables.join("\n")
    }
}

/// Writes `table.md`, `table.tex`, `table.csv`, `table.parquet`, `figure.svg` and `figure.png` into `folder`, each
/// atomically, and returns their paths in this order.
///
/// # Errors
/// [`Error::Folder`], [`Error::Store`] if the disk refuses; [`Error::Data`], [`Error::Draw`].
pub fn write_all(folder: &Path, document: &Document) -> Result<Vec<PathBuf>, Error> {
    let files = [
        ("table.md", document.render(Markup::Markdown).into_bytes()),
        ("table.tex", document.render(Markup::Latex).into_bytes()),
        ("table.csv", document.data.to_csv()?),
        ("table.parquet", document.data.to_parquet()?),
        ("figure.svg", document.figure.svg()?.into_bytes()),
        ("figure.png", document.figure.png()?),
    ];
    fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let write = |(name, bytes): &(&str, Vec<u8>)| {
        let path = folder.join(name);
        store::write_atomically(&path, bytes)?;
        Ok(path)
    };
    files.iter().map(write).collect()
}
