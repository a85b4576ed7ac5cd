//! Columns: the headings, cells, data columns and units of one quantity, in one place.
//!
//! A table for people and a table for data files are both made of columns and rows. The same column serves both.

use std::borrow::Borrow;

use brink_config::Scale;
use brink_verify::Rate;

use crate::document::table::{Cell, Heading, Row, Table};
use crate::records::{NotRun, Records};

/// What a report is made of.
pub struct Input<'a> {
    /// The records.
    pub records: &'a Records,
    /// The scale, for titles.
    pub scale: Scale,
    /// What the grid asks for and has nothing of.
    pub not_run: &'a [NotRun],
}

/// Computes a part of a column from a row.
type Compute<'a, R, T> = Box<dyn Fn(&R) -> T + 'a>;

/// One quantity of a row `R`: its cells for people, and its columns in data files.
pub struct Column<'a, R> {
    shown: Vec<(Heading, Compute<'a, R, Cell>)>,
    data: Vec<Datum<'a, R>>,
}

/// A column of data files.
struct Datum<'a, R> {
    name: &'static str,
    unit: &'static str,
    cell: Compute<'a, R, Option<Cell>>,
}

/// A row of a data file: name, unit and cell of each of its columns.
type Fields = Vec<(&'static str, &'static str, Cell)>;

/// A quantity that is words for people.
pub fn words<'a, R>(name: impl Into<String>, cell: impl Fn(&R) -> Cell + 'a) -> Column<'a, R> {
    data_only().shown(Heading::left(name), cell)
}

/// A quantity that is a number for people; `group` is the heading above several columns.
pub fn number<'a, R>(
    group: &str,
    name: impl Into<String>,
    cell: impl Fn(&R) -> Cell + 'a,
) -> Column<'a, R> {
    data_only().number(group, name, cell)
}

/// A quantity that only data files have.
pub fn data_only<'a, R>() -> Column<'a, R> {
    Column {
        shown: Vec::new(),
        data: Vec::new(),
    }
}

impl<'a, R> Column<'a, R> {
    fn shown(mut self, heading: Heading, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        self.shown.push((heading, Box::new(cell)));
        self
    }

    /// One more number for people.
    pub fn number(
        self,
        group: &str,
        name: impl Into<String>,
        cell: impl Fn(&R) -> Cell + 'a,
    ) -> Self {
        self.shown(Heading::right(group, name), cell)
    }

    /// What the paper prints.
    pub fn paper(self, group: &str, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        self.paper_if(true, group, cell)
    }

    /// What the paper prints, if it does.
    pub fn paper_if(self, prints: bool, group: &str, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        match prints {
            true => self.shown(Heading::paper(group), cell),
            false => self,
        }
    }

    /// A column of data files. The unit is empty for words and names.
    pub fn data(
        self,
        name: &'static str,
        unit: &'static str,
        cell: impl Fn(&R) -> Cell + 'a,
    ) -> Self {
        self.data_if(name, unit, move |row| Some(cell(row)))
    }

    /// A column of words in data files.
    pub fn text(self, name: &'static str, value: impl Fn(&R) -> &str + 'a) -> Self {
        self.data(name, "", move |row| Cell::text(value(row)))
    }

    /// A column of counts in data files.
    pub fn count(
        self,
        name: &'static str,
        unit: &'static str,
        value: impl Fn(&R) -> u64 + 'a,
    ) -> Self {
        self.data(name, unit, move |row| Cell::Count(value(row)))
    }

    /// A column of numbers in data files.
    pub fn real(
        self,
        name: &'static str,
        unit: &'static str,
        value: impl Fn(&R) -> f64 + 'a,
    ) -> Self {
        self.data(name, unit, move |row| Cell::Scientific(value(row)))
    }

    /// A column of shares in data files; NaN is missing.
    pub fn share(self, name: &'static str, value: impl Fn(&R) -> f64 + 'a) -> Self {
        self.data(name, "share", move |row| Cell::number(value(row), 4))
    }

    /// The columns of a rate in data files: its counts, itself and its Wilson interval.
    pub fn rate(self, unit: &'static str, rate: impl Fn(&R) -> Rate + Copy + 'a) -> Self {
        self.count("hits", unit, move |row| rate(row).hits())
            .count("of", unit, move |row| rate(row).of())
            .share("rate", move |row| rate(row).value())
            .share("low95", move |row| rate(row).wilson95().0)
            .share("high95", move |row| rate(row).wilson95().1)
    }

    /// A column of data files that only some rows have.
    pub fn data_if(
        mut self,
        name: &'static str,
        unit: &'static str,
        cell: impl Fn(&R) -> Option<Cell> + 'a,
    ) -> Self {
        let cell = Box::new(cell);
        self.data.push(Datum { name, unit, cell });
        self
    }

    /// The same column, in tables for people only if `shown`.
    pub fn shown_if(mut self, shown: bool) -> Self {
        if !shown {
            self.shown.clear();
        }
        self
    }

    /// The same column of rows `S`, as `row` gives theirs. Where it gives none, cells are missing and data files have none.
    pub fn of<S: 'a, B: Borrow<R>>(
        self,
        row: impl Fn(&S) -> Option<B> + Clone + 'a,
    ) -> Column<'a, S>
    where
        R: 'a,
    {
        let mut out = data_only();
        for (heading, cell) in self.shown {
            let row = row.clone();
            out = out.shown(heading, move |from| {
                Cell::maybe(row(from), |row| cell(row.borrow()))
            });
        }
        for Datum { name, unit, cell } in self.data {
            let row = row.clone();
            out = out.data_if(name, unit, move |from| cell(row(from)?.borrow()));
        }
        out
    }
}

/// The headings of a table for people.
pub fn headings<R>(columns: &[Column<R>]) -> Vec<Heading> {
    let shown = columns.iter().flat_map(|column| &column.shown);
    shown.map(|(heading, _)| heading.clone()).collect()
}

/// A row's cells in a table for people.
pub fn cells<R>(columns: &[Column<R>], row: &R) -> Vec<Cell> {
    let shown = columns.iter().flat_map(|column| &column.shown);
    shown.map(|(_, cell)| cell(row)).collect()
}

/// A row in a data file.
fn fields<R>(columns: &[Column<R>], row: &R) -> Fields {
    let data = columns.iter().flat_map(|column| &column.data);
    data.filter_map(|datum| Some((datum.name, datum.unit, (datum.cell)(row)?)))
        .collect()
}

impl Input<'_> {
    /// A title with the scale.
    pub fn title(&self, what: impl Into<String>) -> String {
        what.into() + &self.scale.title_suffix()
    }

    /// The notes below a table: what was not run, then `note`, or that there is nothing yet.
    pub fn notes(&self, nothing: bool, note: impl Into<String>) -> Vec<String> {
        let not_run = self.not_run.iter().map(NotRun::note);
        let note = match nothing {
            true => "Nothing has been computed yet.".to_owned(),
            false => note.into(),
        };
        not_run.chain([note]).collect()
    }

    /// A table for people of which each row is one of `rows`; its first `heads` columns say which row it is.
    pub fn table<R>(
        &self,
        what: impl Into<String>,
        heads: usize,
        columns: &[Column<R>],
        rows: &[R],
        begins: impl Fn(usize) -> bool,
        notes: Vec<String>,
    ) -> Table {
        let rows = rows.iter().enumerate().map(|(nth, row)| Row {
            begins: begins(nth),
            cells: cells(columns, row),
        });
        Table {
            title: self.title(what),
            columns: headings(columns),
            heads,
            stacked: false,
            rows: rows.collect(),
            notes,
        }
    }

    /// A table for data files: `rows`, and a row for each part of the grid that was not run.
    pub fn data<R>(&self, what: &str, columns: &[Column<R>], rows: &[R]) -> Table {
        let scale = || Cell::text(self.scale.to_string());
        let done = rows.iter().map(|row| {
            let mut all = vec![("status", "", Cell::text("done")), ("scale", "", scale())];
            all.extend(fields(columns, row));
            all
        });
        let not_run = self.not_run.iter().map(|missing| {
            vec![
                ("status", "", Cell::text("not run")),
                ("scale", "", scale()),
                ("dataset_title", "", Cell::text(&missing.dataset_title)),
                ("reason", "", Cell::text(&missing.reason)),
                (
                    "command",
                    "",
                    Cell::text(missing.command.as_deref().unwrap_or_default()),
                ),
            ]
        });
        align(
            self.title(format!("{what}, data")),
            done.chain(not_run).collect(),
        )
    }
}

/// The columns are all names, in the order in which they first appear. No row has a name twice.
fn align(title: String, rows: Vec<Fields>) -> Table {
    let mut columns: Vec<Heading> = Vec::new();
    for (name, unit, _) in rows.iter().flatten() {
        if !columns.iter().any(|column| column.name == *name) {
            let unit = *unit;
            columns.push(Heading {
                unit,
                ..Heading::left(*name)
            });
        }
    }
    let cells = |row: &Fields| {
        let cell = |column: &Heading| {
            let mut named = row.iter().filter(|(name, _, _)| *name == column.name);
            let cell = named.next();
            debug_assert!(named.next().is_none(), "{title}: {} twice", column.name);
            cell.map_or(Cell::Missing, |(_, _, cell)| cell.clone())
        };
        columns.iter().map(cell).collect()
    };
    let rows = rows.iter().map(|row| Row {
        begins: false,
        cells: cells(row),
    });
    let rows = rows.collect();
    Table {
        title,
        columns,
        heads: 0,
        stacked: false,
        rows,
        notes: Vec::new(),
    }
}
