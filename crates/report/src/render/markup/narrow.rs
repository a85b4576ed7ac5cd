//! Tables on a narrow terminal: less important columns are left out, or rows become lists.

use std::fmt::Write;

use super::terminal::{aligned, columns};
use crate::document::table::{Cell, Row, Table};

/// The fewest columns of a terminal that shows a table rather than a list.
const TABLE: usize = 60;

/// The title and the table in at most `width` columns, without its notes.
pub fn render(table: &Table, width: usize) -> String {
    let fits = |table: &Table| columns(&aligned(table)) <= width;
    let mut shown = table.clone();
    let mut names = take_names(&mut shown);
    // The paper's numbers go first, then all but the last column of a group, which is its most telling one.
    if !fits(&shown) {
        shown = table.clone();
        drop_columns(&mut shown, |table, nth| table.columns[nth].printed);
        drop_empty_blocks(&mut shown);
        names = take_names(&mut shown);
    }
    let group = |table: &Table, nth: usize| table.columns.get(nth).map(|it| it.group.clone());
    if !fits(&shown) {
        drop_columns(&mut shown, |table, nth| {
            !table.columns[nth].group.is_empty() && group(table, nth) == group(table, nth + 1)
        });
    }
    let mut out = wrapped(&table.title, width);
    if width < TABLE {
        out += &list(&shown, &names, width);
        return out;
    }
    while !fits(&shown) && shown.columns.len() > shown.heads + 1 {
        let last = shown.columns.len() - 1;
        drop_columns(&mut shown, |_, nth| nth == last);
    }
    if !fits(&shown) {
        out += &list(&shown, &names, width);
        return out;
    }
    out += &with_names(&aligned(&shown), &names, width);
    let left_out = table.columns.len() - shown.columns.len() - usize::from(table.stacked);
    if left_out > 0 {
        out += &wrapped(&format!("{left_out} more columns are in the files."), width);
    }
    out
}

/// Takes the names of blocks out of the first column, where each stands in several lines.
fn take_names(table: &mut Table) -> Vec<String> {
    if !table.stacked {
        return Vec::new();
    }
    let blocks = table.rows.chunk_by(|_, next| !next.begins);
    let names = blocks.map(|block| {
        let lines = block.iter().map(|row| row.cells[0].plain());
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        lines.join(", ")
    });
    let names = names.collect();
    table.stacked = false;
    table.heads -= 1;
    table.columns.remove(0);
    for row in &mut table.rows {
        row.cells.remove(0);
    }
    names
}

/// Leaves out the columns for which `gone` is true, but none that say which row it is.
fn drop_columns(table: &mut Table, gone: impl Fn(&Table, usize) -> bool) {
    let kept = (0..table.columns.len()).filter(|&nth| nth < table.heads || !gone(table, nth));
    let kept: Vec<usize> = kept.collect();
    table.columns = kept.iter().map(|&nth| table.columns[nth].clone()).collect();
    for row in &mut table.rows {
        row.cells = kept.iter().map(|&nth| row.cells[nth].clone()).collect();
    }
}

/// Leaves out the blocks that have only their names left.
fn drop_empty_blocks(table: &mut Table) {
    let heads = table.heads;
    let blank = |row: &Row| row.cells[heads..].iter().all(|cell| *cell == Cell::Blank);
    let blocks = table.rows.chunk_by(|_, next| !next.begins);
    let kept = blocks.filter(|block| !block.iter().all(blank));
    table.rows = kept.flatten().cloned().collect();
}

/// An aligned table with the name of each block above it: the first below the headings, the others in the gaps.
fn with_names(text: &str, names: &[String], width: usize) -> String {
    let mut out = String::new();
    let mut names = names.iter().map(|name| wrapped(name, width));
    let mut rules = 0;
    for line in text.lines() {
        out += line;
        out.push('\n');
        rules += usize::from(line.starts_with('─'));
        let first = rules == 2 && line.starts_with('─');
        if first || line.is_empty() {
            out += &names.next().unwrap_or_default();
        }
    }
    out
}

/// Each row as a list of its cells.
fn list(table: &Table, names: &[String], width: usize) -> String {
    let mut out = String::new();
    let mut names = names.iter().map(|name| wrapped(name, width));
    for (nth, row) in table.rows.iter().enumerate() {
        if nth == 0 || row.begins {
            out += "\n";
            out += &names.next().unwrap_or_default();
        }
        item(&mut out, table, row, width);
    }
    out
}

/// The heads of a row in a line, and below it a line for each other cell.
fn item(out: &mut String, table: &Table, row: &Row, width: usize) {
    let name = |nth: usize| {
        let column = &table.columns[nth];
        format!("{} {}", column.group, column.name)
            .trim()
            .to_owned()
    };
    let text = |nth: usize| row.cells[nth].plain() + row.cells[nth].mark();
    let heads = (0..table.heads).filter(|&nth| !text(nth).is_empty());
    let heads = heads.map(|nth| format!("{} {}", name(nth), text(nth)));
    *out += &wrapped(&heads.collect::<Vec<_>>().join(", "), width);
    let cells = (table.heads..row.cells.len()).filter(|&nth| !text(nth).is_empty());
    let cells: Vec<_> = cells.map(|nth| (name(nth), text(nth))).collect();
    let longest = cells.iter().map(|(name, _)| name.chars().count()).max();
    for (name, text) in cells {
        let room = width.saturating_sub(text.chars().count() + 4);
        let column = longest.unwrap_or(0).min(room);
        let name: String = name.chars().take(column).collect();
        let _ = writeln!(out, "  {name:column$}  {text}");
    }
}

/// The text in lines of at most `width` columns.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut at = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if at > 0 && at + 1 + length > width {
            out.push('\n');
            at = 0;
        } else if at > 0 {
            out.push(' ');
            at += 1;
        }
        out += word;
        at += length;
    }
    out.push('\n');
    out
}
