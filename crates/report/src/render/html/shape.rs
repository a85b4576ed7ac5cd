//! Tables as the page's template takes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::document::table::{Align, Cell, Row, Source, Table};

/// A table, with nothing left to decide.
#[derive(Serialize)]
pub struct Grid {
    title: String,
    /// The line of groups above the headings; empty if there is none.
    groups: Vec<Head>,
    heads: Vec<Head>,
    /// How many columns the bodies have.
    columns: usize,
    bodies: Vec<Body>,
    notes: Vec<Vec<(bool, String)>>,
}

#[derive(Serialize)]
struct Head {
    text: String,
    columns: usize,
    /// Whether it reaches down over the line of headings.
    tall: bool,
    class: String,
    /// The group of a column, which a narrow screen repeats.
    group: String,
    /// Which column it sorts by; `None` for the heading of several.
    sorts: Option<usize>,
}

/// Rows that belong together.
#[derive(Serialize)]
struct Body {
    /// What they are about, where no column says it.
    name: Option<String>,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    begins: bool,
    cells: Vec<Shape>,
}

#[derive(Serialize)]
struct Shape {
    text: String,
    /// How far the 95 % interval reaches.
    within: Option<String>,
    mark: &'static str,
    class: String,
    head: bool,
    source: Option<usize>,
}

/// The shape of a table, whose sources join the others. What was not run is left out, because the page says it once.
pub fn grid(table: &Table, not_run: &BTreeSet<String>, sources: &mut Vec<Arc<Source>>) -> Grid {
    let grouped = table.columns.iter().any(|column| !column.group.is_empty());
    let class = |nth: usize, begins: bool| {
        let column = &table.columns[nth];
        let names = [
            (column.align == Align::Left, "word"),
            (column.printed, "printed"),
            (begins && nth > 0, "begins"),
            (nth + 1 == table.heads, "key"),
        ];
        let names = names
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name);
        names.collect::<Vec<_>>().join(" ")
    };
    // A name of several lines is none of a row: it stands above its rows, and on a narrow screen stays in sight there.
    let hidden = usize::from(table.stacked);
    let (mut groups, mut heads, mut first) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (group, columns) in table.groups() {
        let nth = heads.len() + groups.iter().filter(|head: &&Head| head.tall).count();
        first.insert(nth);
        let tall = grouped && group.is_empty();
        groups.push(Head {
            text: if tall {
                table.columns[nth].name.clone()
            } else {
                group.to_owned()
            },
            columns,
            tall,
            class: if tall {
                class(nth, true)
            } else {
                "begins".to_owned()
            },
            group: String::new(),
            sorts: tall.then(|| nth - hidden.min(nth)),
        });
        if !tall {
            heads.extend((nth..nth + columns).map(|i| Head {
                text: table.columns[i].name.clone(),
                columns: 1,
                tall: false,
                class: class(i, i == nth),
                group: group.to_owned(),
                sorts: Some(i - hidden.min(i)),
            }));
        }
    }
    // The first column is a group of its own, or a heading.
    match grouped {
        true => drop(groups.drain(..hidden)),
        false => drop(heads.drain(..hidden)),
    }
    let mut line = |row: &Row| {
        let cells = row
            .cells
            .iter()
            .enumerate()
            .skip(hidden)
            .map(|(nth, cell)| Shape {
                text: cell.plain(),
                within: cell.interval(),
                mark: cell.mark(),
                class: class(nth, grouped && first.contains(&nth)),
                head: nth < table.heads && *cell != Cell::Blank,
                source: cell.source().map(|source| {
                    sources.push(Arc::clone(source));
                    sources.len() - 1
                }),
            });
        Line {
            begins: row.begins,
            cells: cells.collect(),
        }
    };
    let mut bodies: Vec<Body> = Vec::new();
    for row in table.rows.iter().filter(|row| !is_not_run(row)) {
        let starts = bodies.is_empty() || (table.stacked && row.begins);
        if starts {
            bodies.push(Body {
                name: table.stacked.then(String::new),
                rows: Vec::new(),
            });
        }
        let Some(body) = bodies.last_mut() else {
            continue;
        };
        if let (Some(name), Some(cell)) = (&mut body.name, row.cells.first()) {
            let text = cell.plain();
            let comma = if name.is_empty() || text.is_empty() {
                ""
            } else {
                ", "
            };
            *name += comma;
            *name += &text;
        }
        body.rows.push(line(row));
    }
    Grid {
        title: table.title.clone(),
        columns: table.columns.len() - hidden,
        bodies,
        groups: if grouped { groups } else { Vec::new() },
        heads,
        notes: table
            .notes
            .iter()
            .filter(|note| !not_run.contains(*note))
            .map(|note| typed(note))
            .collect(),
    }
}

/// Whether a row only says that its target was not run.
fn is_not_run(row: &Row) -> bool {
    let [_, label, rest @ ..] = &row.cells[..] else {
        return false;
    };
    *label == Cell::text("not run") && rest.iter().all(|cell| *cell == Cell::Missing)
}

/// The pieces of a note, each with whether it is something to type.
pub fn typed(note: &str) -> Vec<(bool, String)> {
    let pieces = note.split('`').enumerate();
    pieces
        .map(|(nth, text)| (nth % 2 == 1, text.to_owned()))
        .collect()
}
