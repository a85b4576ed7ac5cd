//! A table as a value: content once, so that every format shows the same numbers.

use std::sync::Arc;

use brink_store::Id;
use serde::Serialize;

/// A table: titled columns, rows of cells, notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What it shows, and at which scale.
    pub title: String,
    /// The headings, from left to right.
    pub columns: Vec<Heading>,
    /// How many columns at the left say which row it is.
    pub heads: usize,
    /// Whether the first column holds one name a block, in several lines.
    pub stacked: bool,
    /// The rows, from top to bottom; each has one cell a column.
    pub rows: Vec<Row>,
    /// Notes below the table. Text between backquotes is something to type.
    pub notes: Vec<String>,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Heading above several columns; neighbours of the same group share it. Empty for none.
    pub group: String,
    /// The column's own heading.
    pub name: String,
    /// The unit of its numbers, in data files; empty for words and in tables for people.
    pub unit: &'static str,
    /// What it is, for the metadata of Parquet files; mostly empty.
    pub meaning: &'static str,
    /// To which side its cells are aligned.
    pub align: Align,
    /// Whether its numbers are the paper's.
    pub printed: bool,
}

/// The side to which a column's cells are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whether a new block begins here, set off from the rows above.
    pub begins: bool,
    /// One cell a column.
    pub cells: Vec<Cell>,
}

/// What a cell holds; formats decide how it looks.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing is meant to be here.
    Blank,
    /// A value is missing: not computed, or not printed in the paper.
    Missing,
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// A number, shown with so many decimals, and a mark that a note explains (or none).
    Number {
        /// The number.
        value: f64,
        /// Decimals shown to people; data files get all of them.
        decimals: usize,
        /// A mark behind the number, e.g. `†`.
        mark: &'static str,
        /// How far the 95 % interval reaches on its longer side. Only the page shows it.
        within: Option<f64>,
    },
    /// A small or large number, shown as a power of ten.
    Scientific(f64),
    /// Yes or no.
    Flag(bool),
    /// One of the others with its source. The page shows sources on demand.
    Sourced(Box<Self>, Arc<Source>),
}

/// The source of a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// Facts about it, as (name, value).
    pub facts: Vec<(String, String)>,
    /// The steps whose records it was computed from.
    pub steps: Vec<Id>,
}

impl Source {
    /// A source without facts yet.
    pub fn new(title: impl Into<String>, steps: impl IntoIterator<Item = Id>) -> Self {
        Self {
            title: title.into(),
            facts: Vec::new(),
            steps: steps.into_iter().collect(),
        }
    }

    /// The same with one more fact.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }
}

impl Table {
    /// The neighbouring columns that share a group: (group, number of columns).
    pub(crate) fn groups(&self) -> Vec<(&str, usize)> {
        let mut groups: Vec<(&str, usize)> = Vec::new();
        for column in &self.columns {
            match groups.last_mut() {
                Some((group, count)) if *group == column.group && !group.is_empty() => *count += 1,
                _ => groups.push((&column.group, 1)),
            }
        }
        groups
    }
}

impl Heading {
    /// The heading of words.
    pub fn left(name: impl Into<String>) -> Self {
        Self {
            align: Align::Left,
            ..Self::right("", name)
        }
    }

    /// The heading of numbers.
    pub fn right(group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: name.into(),
            unit: "",
            meaning: "",
            align: Align::Right,
            printed: false,
        }
    }

    /// The heading of the paper's printed numbers.
    pub fn paper(group: impl Into<String>) -> Self {
        Self {
            printed: true,
            ..Self::right(group, "paper")
        }
    }
}

impl Cell {
    /// Words, or [`Cell::Blank`] for none.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Blank
        } else {
            Self::Text(text)
        }
    }

    /// A number with so many decimals, or [`Cell::Missing`] if it is NaN.
    pub fn number(value: f64, decimals: usize) -> Self {
        Self::marked(value, decimals, "")
    }

    /// As [`Cell::number`], with a mark.
    pub fn marked(value: f64, decimals: usize, mark: &'static str) -> Self {
        if value.is_nan() {
            return Self::Missing;
        }
        Self::Number {
            value,
            decimals,
            mark,
            within: None,
        }
    }

    /// The same number, a share in per cent, with the ends of its 95 % interval in [0, 1].
    #[must_use]
    pub fn within(mut self, (low, high): (f64, f64)) -> Self {
        if let Self::Number { value, within, .. } = &mut self {
            let longer = (*value - 100.0 * low).max(100.0 * high - *value);
            *within = Some(longer.max(0.0));
        }
        self
    }

    /// The cell of a value that may be missing.
    pub fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Missing, cell)
    }

    /// The same cell with a source, unless it is blank or missing.
    #[must_use]
    pub fn resting_on(self, source: Source) -> Self {
        match self {
            Self::Blank | Self::Missing => self,
            cell => Self::Sourced(Box::new(cell), Arc::new(source)),
        }
    }

    /// The cell without its source.
    pub fn bare(&self) -> &Self {
        match self {
            Self::Sourced(cell, _) => cell.bare(),
            cell => cell,
        }
    }

    /// Its source, if it has one.
    pub fn source(&self) -> Option<&Arc<Source>> {
        match self {
            Self::Sourced(_, source) => Some(source),
            _ => None,
        }
    }

    /// How plain text shows the cell, without its mark.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Sourced(cell, _) => cell.plain(),
            Self::Blank => String::new(),
            Self::Missing => "–".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number {
                value, decimals, ..
            } => format!("{value:.decimals$}"),
            Self::Scientific(value) => scientific(*value),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
        }
    }

    /// How far its 95 % interval reaches, with as many decimals as the number.
    pub(crate) fn interval(&self) -> Option<String> {
        match self.bare() {
            Self::Number {
                within: Some(within),
                decimals,
                ..
            } => Some(format!("{within:.decimals$}")),
            _ => None,
        }
    }

    /// The mark behind the cell.
    pub(crate) fn mark(&self) -> &'static str {
        match self.bare() {
            Self::Number { mark, .. } => mark,
            _ => "",
        }
    }
}

/// `1e-10`, `2.5e-7`, `0`: at most three digits before the exponent.
pub(crate) fn scientific(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!(
        "{}e{exponent}",
        digits.trim_end_matches('0').trim_end_matches('.')
    )
}
