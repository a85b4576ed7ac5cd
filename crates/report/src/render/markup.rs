//! The formats for people.

mod latex;
mod markdown;
mod narrow;
mod terminal;

use crate::document::table::Table;

/// A text format for people. Data formats are [`Table::to_csv`] and [`Table::to_parquet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Aligned text for a terminal, with Unicode rules.
    Terminal {
        /// Its columns; `None` for a file or a pipe, which has room for everything.
        width: Option<usize>,
    },
    /// GitHub's Markdown.
    Markdown,
    /// LaTeX with the packages `booktabs` and `adjustbox`.
    Latex,
}

impl Table {
    /// The table in a format for people, ending in a newline.
    pub fn render(&self, markup: Markup) -> String {
        match markup {
            Markup::Terminal { width } => terminal::render(self, width),
            Markup::Markdown => markdown::render(self),
            Markup::Latex => latex::render(self),
        }
    }
}
