//! One self-contained page of reports: the tables, the figures, and on demand the source of each number.
//!
//! The page fetches nothing and says so to the browser. It is made of the same [`Table`] values as every other format;
//! what a cell rests on is looked up in two maps embedded as JSON: the cells' sources, and the records of the steps that
//! they name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brink_config::Scale;
use brink_store::Id;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value as Safe, context};
use serde::Serialize;
use serde_json::{Value, json};

use crate::document::Document;
use crate::document::table::{Align, Cell, Row, Source, Table};
use crate::error::Error;

/// A report on the page.
pub struct Section<'a> {
    /// Its name, for links.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its tables and figures.
    pub document: &'a Document,
}

/// One self-contained page. `steps` are the records that its numbers rest on, see [`crate::steps`]; `journal` describes the run as a
/// whole.
///
/// # Errors
/// [`Error::Draw`] if a figure cannot be drawn, [`Error::Page`] if the page cannot be filled in.
pub fn page(
    title: &str,
    scale: Scale,
    sections: &[Section],
    steps: &BTreeMap<Id, Value>,
    journal: &Value,
) -> Result<String, Error> {
    let mut sources = Vec::new();
    let shown = sections
        .iter()
        .map(|section| show(section, scale, &mut sources))
        .collect::<Result<Vec<_>, _>>()?;
    let named: BTreeSet<Id> = sources
        .iter()
        .flat_map(|source| &source.steps)
        .copied()
        .collect();
    let steps: BTreeMap<_, _> = steps
        .iter()
        .filter(|(id, _)| named.contains(id))
        .map(|(id, step)| (id.to_string(), step))
        .collect();
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    let filled = syntax
        .map(|syntax| environment.set_syntax(syntax))
        .and_then(|()| environment.add_template("page.html", include_str!("html/page.html")))
        .and_then(|()| environment.get_template("page.html"))
        .and_then(|template| {
            template.render(context! {
                title => format!("{title}{}", scale.title_suffix()),
                sections => Serde(shown),
                style => Safe::from_safe_string(include_str!("html/page.css").to_owned()),
                script => Safe::from_safe_string(include_str!("html/page.js").to_owned()),
                sources => embed(&json!(sources.iter().map(Arc::as_ref).collect::<Vec<_>>())),
                steps => embed(&json!(steps)),
                journal => serde_json::to_string_pretty(journal).unwrap_or_default(),
            })
        });
    filled.map_err(Error::Page)
}

/// The journal of a page that [`page`] made.
pub fn journal(page: &str) -> Option<Value> {
    let (_, after) = page.rsplit_once("<pre>{")?;
    let (journal, _) = after.split_once("</pre>")?;
    let mut json = format!("{{{journal}");
    let escaped = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"), // last: it begins all others
    ];
    for (escape, character) in escaped {
        json = json.replace(escape, character);
    }
    serde_json::from_str(&json).ok()
}

/// JSON within a `<script>`, which nothing in it may close.
fn embed(value: &Value) -> Safe {
    Safe::from_safe_string(value.to_string().replace('<', "\\u003c"))
}

#[derive(Serialize)]
struct Shown {
    name: &'static str,
    title: String,
    tables: Vec<Grid>,
    /// Each figure and its title.
    figures: Vec<(Safe, String)>,
}

/// A table, with nothing left to decide.
#[derive(Serialize)]
struct Grid {
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
    mark: &'static str,
    class: String,
    head: bool,
    source: Option<usize>,
}

fn show(section: &Section, scale: Scale, sources: &mut Vec<Arc<Source>>) -> Result<Shown, Error> {
    let document = section.document;
    let figures = document.figures.iter().map(|(_, figure)| {
        let svg = figure.svg()?;
        Ok((Safe::from_safe_string(svg), figure.title().to_owned()))
    });
    Ok(Shown {
        name: section.name,
        title: format!("{}{}", section.title, scale.title_suffix()),
        tables: document
            .tables
            .iter()
            .map(|table| grid(table, sources))
            .collect(),
        figures: figures.collect::<Result<_, Error>>()?,
    })
}

fn grid(table: &Table, sources: &mut Vec<Arc<Source>>) -> Grid {
    let grouped = table.columns.iter().any(|column| !column.group.is_empty());
    let class = |nth: usize, begins: bool| {
        let column = &table.columns[nth];
        let names = [
            (column.align == Align::Right, "number"),
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
        });
        if !tall {
            heads.extend((nth..nth + columns).map(|i| Head {
                text: table.columns[i].name.clone(),
                columns: 1,
                tall: false,
                class: class(i, i == nth),
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
    for row in &table.rows {
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
        notes: table.notes.iter().map(|note| typed(note)).collect(),
    }
}

/// The pieces of a note, each with whether it is something to type.
fn typed(note: &str) -> Vec<(bool, String)> {
    let pieces = note.split('`').enumerate();
    pieces
        .map(|(nth, text)| (nth % 2 == 1, text.to_owned()))
        .collect()
}
