//! GitHub's Markdown, which has no headings over several columns: a column's group stands before its name.

use std::fmt::Write;

use crate::document::table::{Align, Table};

pub fn render(table: &Table) -> String {
    let mut out = format!("### {}\n\n", escape(&table.title));
    let mut group = "";
    let heads = table.columns.iter().map(|column| {
        let begins = column.group != group;
        group = &column.group;
        match (begins, column.group.as_str()) {
            (false, _) | (_, "") => escape(&column.name),
            (true, group) => escape(&format!("{group} {}", column.name)),
        }
    });
    line(&mut out, heads);
    let rules = table.columns.iter().map(|column| match column.align {
        Align::Left => ":---".to_owned(),
        Align::Right => "---:".to_owned(),
    });
    line(&mut out, rules);
    for row in &table.rows {
        let cells = row.cells.iter();
        line(
            &mut out,
            cells.map(|cell| escape(&cell.plain()) + cell.mark()),
        );
    }
    if !table.notes.is_empty() {
        out.push('\n');
    }
    for note in &table.notes {
        let _ = writeln!(out, "- {note}");
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        let _ = write!(out, " {cell} |");
    }
    out.push('\n');
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('*', "\\*")
        .replace('_', "\\_")
        .replace('<', "&lt;")
        .replace('\n', " ")
}
