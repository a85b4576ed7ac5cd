//! Records in, tables and figures out.
//!
//! A table is a value ([`Table`]) built once from records; formats only render it. The same holds for a [`figure`]. The
//! paper's own numbers ([`paper`]) stand beside ours wherever that is fair, and are labelled where it is only nearly so.
//! What there is, is a [`Report`] each: its tables and figures are a [`Document`], and [`html`] makes one page of several.
//!
//! Nothing here opens a model or a sample: what a table says is in the records.

pub mod figure;
pub mod html;
pub mod markup;
pub mod paper;

mod attacked;
mod boundary;
mod content;
mod convergence;
mod detection;
mod dispersion;
mod error;
mod frame;
mod kinds;
mod long;
mod names;
mod numbers;
mod pool;
mod probes;
mod report;
mod samples;
mod study;
mod table;
mod targets;
mod timing;
mod variants;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spec::Id;
use store::{ProbeRecord, RunRecord, SetRecord, TargetRecord};
use verify::SensitiveSet;

pub use detection::NotRun;
pub use error::Error;
pub use figure::Figure;
pub use markup::Markup;
pub use paper::{Kinship, Measure, Paper};
pub use report::{Report, Subject};
pub use table::{Align, Cell, Column, Row, Source, Table};

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
    /// What was measured about the targets themselves.
    pub probes: Vec<ProbeRecord>,
    /// The runs that the grid asks for and that have no record, of targets that have one.
    pub open: Vec<OpenRun>,
    /// The images of sets, as far as they are at hand.
    pub samples: BTreeMap<Id, SensitiveSet>,
}

/// A run that has not been computed.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenRun {
    /// The target.
    pub target: Id,
    /// The attack, by its name.
    pub attack: &'static str,
    /// The fields of the attack, as [`RunRecord::spec`] has them.
    pub spec: Value,
}

/// What a report says: tables for people, one for data files, and figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The tables for people, the most important first.
    pub tables: Vec<Table>,
    /// Everything in long form.
    pub data: Table,
    /// The figures, each with what its files' names end in: nothing, if it is the only one.
    pub figures: Vec<(String, Figure)>,
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

/// Writes the tables as Markdown and LaTeX, the data as CSV and Parquet and each figure as SVG and PNG into `folder`, each
/// atomically and named by the report (`table3.md`, `table3.svg`, `table3-NAME.svg`), and returns their paths in this order.
///
/// # Errors
/// [`Error::Folder`], [`Error::Store`] if the disk refuses; [`Error::Data`], [`Error::Draw`].
pub fn write_all(
    folder: &Path,
    report: Report,
    document: &Document,
) -> Result<Vec<PathBuf>, Error> {
    let name = report.name();
    let mut files = vec![
        (
            format!("{name}.md"),
            document.render(Markup::Markdown).into_bytes(),
        ),
        (
            format!("{name}.tex"),
            document.render(Markup::Latex).into_bytes(),
        ),
        (format!("{name}.csv"), document.data.to_csv()?),
        (format!("{name}.parquet"), document.data.to_parquet()?),
    ];
    for (which, figure) in &document.figures {
        let dash = if which.is_empty() { "" } else { "-" };
        files.push((
            format!("{name}{dash}{which}.svg"),
            figure.svg()?.into_bytes(),
        ));
        files.push((format!("{name}{dash}{which}.png"), figure.png()?));
    }
    fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let write = |(name, bytes): &(String, Vec<u8>)| {
        let path = folder.join(name);
        store::write_atomically(&path, bytes)?;
        Ok(path)
    };
    files.iter().map(write).collect()
}
