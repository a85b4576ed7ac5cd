//! Tables for data files: rows by the names of their columns, nothing rounded, and a row for what was not run.

use spec::Scale;
use store::TargetRecord;

use crate::numbers::distinct;
use crate::{Cell, Column, NotRun, Row, Table};

/// A row, by the names of its columns.
pub type Fields = Vec<(&'static str, Cell)>;

/// The beginning of a row that was computed.
pub fn done(scale: Scale) -> Fields {
    vec![
        ("status", Cell::text("done")),
        ("scale", Cell::text(scale.to_string())),
    ]
}

/// What a row says of the target that it is about; `variant` tells it from others of the same data set and network.
pub fn of_target(target: &TargetRecord, variant: &str) -> Fields {
    let width = target.spec["width"].as_f64();
    vec![
        ("dataset", Cell::text(&target.dataset)),
        ("dataset_title", Cell::text(&target.dataset_title)),
        ("network", Cell::text(&target.model)),
        ("network_width", Cell::number(width.unwrap_or(1.0), 3)),
        ("target", Cell::text(target.id.to_string())),
        ("target_variant", Cell::text(variant)),
    ]
}

/// A row that was not.
pub fn skipped(missing: &NotRun, scale: Scale) -> Fields {
    vec![
        ("status", Cell::text("not run")),
        ("scale", Cell::text(scale.to_string())),
        ("dataset_title", Cell::text(&missing.dataset_title)),
        ("reason", Cell::text(&missing.reason)),
        ("command", Cell::text(&missing.command)),
    ]
}

/// The columns are all names, in the order in which they first appear. No row says a name twice.
pub fn align(title: String, rows: Vec<Fields>) -> Table {
    debug_assert!(
        rows.iter()
            .all(|row| distinct(row.iter().map(|(name, _)| name)) == row.len()),
        "a row of {title} says a name twice"
    );
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let cells = |row: &Fields| {
        let cell = |name: &&str| {
            let mut fields = row.iter();
            let field = fields.find(|(field, _)| field == name);
            field.map_or(Cell::Missing, |(_, cell)| cell.clone())
        };
        names.iter().map(cell).collect()
    };
    Table {
        title,
        rows: rows
            .iter()
            .map(|row| Row {
                begins: false,
                cells: cells(row),
            })
            .collect(),
        columns: names.into_iter().map(Column::left).collect(),
        heads: 0,
        stacked: false,
        notes: Vec::new(),
    }
}
