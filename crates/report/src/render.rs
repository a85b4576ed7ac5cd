//! From documents to text, data files, figures and pages.

pub mod html;
pub mod markup;

mod base64;
mod data_files;
mod figure;

use std::fs;
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::document::table::Table;
use crate::error::Error;
use markup::Markup;

impl Document {
    /// All tables for people in one text.
    pub fn render(&self, markup: Markup) -> String {
        let tables = self.tables.iter().map(|table| table.render(markup));
        tables.collect::<Vec<_>>().join("\n")
    }
}

/// Writes a document into `folder` and returns the paths of its files, in this order: the tables as Markdown and LaTeX, the data
/// as CSV and Parquet, each figure as SVG and PNG. Their names begin with `name`: `table3.md`, `table3.svg`, `table3-NAME.svg`.
/// Each file is written atomically.
///
/// # Errors
/// [`Error::Folder`] and [`Error::Store`] if the disk refuses; [`Error::Data`] and [`Error::Draw`] if a file cannot be made.
pub fn write_all(folder: &Path, name: &str, document: &Document) -> Result<Vec<PathBuf>, Error> {
    let mut files = vec![
        ("md", document.render(Markup::Markdown).into_bytes()),
        ("tex", document.render(Markup::Latex).into_bytes()),
        ("csv", document.data.to_csv()?),
        ("parquet", document.data.to_parquet()?),
    ]
    .into_iter()
    .map(|(extension, bytes)| (format!("{name}.{extension}"), bytes))
    .collect::<Vec<_>>();
    for (which, figure) in &document.figures {
        let dash = if which.is_empty() { "" } else { "-" };
        let stem = format!("{name}{dash}{which}");
        files.push((format!("{stem}.svg"), figure.svg()?.into_bytes()));
        files.push((format!("{stem}.png"), figure.png()?));
    }
    let write = |(name, bytes): &(String, Vec<u8>)| write(folder, name, bytes);
    files.iter().map(write).collect()
}

/// Writes the table of all runs, see [`crate::runs`], as `runs.parquet` into `folder`, and returns its path.
///
/// # Errors
/// As for [`write_all`].
pub fn write_runs(folder: &Path, runs: &Table) -> Result<PathBuf, Error> {
    write(folder, "runs.parquet", &runs.to_parquet()?)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let path = folder.join(name);
    brink_store::write_atomically(&path, bytes)?;
    Ok(path)
}
