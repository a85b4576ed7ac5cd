//! Aligned text for a terminal: groups as a second line of headings, a gap before each group, notes wrapped below.

use comfy_table::{
    Cell, CellAlignment, ContentArrangement, Row, Table as Grid, TableComponent, presets,
};

use super::narrow;
use crate::document::table::{Align, Table};

/// The width of wrapped notes where there is room: about the width of a table in the paper's layout.
const WIDTH: usize = 120;

/// The table, in at most `width` columns if there is a width. A table that is wider leaves out columns; where too few
/// would be left, it becomes a list.
pub fn render(table: &Table, width: Option<usize>) -> String {
    let whole = aligned(table);
    let mut out = match width {
        Some(width) if columns(&whole).max(columns(&table.title)) > width => {
            narrow::render(table, width)
        }
        _ => format!("{}\n{whole}", table.title),
    };
    if !table.notes.is_empty() {
        out.push_str(&notes(table, width.unwrap_or(WIDTH).min(WIDTH)));
    }
    out
}

/// The columns of the widest line.
pub fn columns(text: &str) -> usize {
    let widths = text.lines().map(|line| line.chars().count());
    widths.max().unwrap_or(0)
}

/// The headings and all rows.
pub fn aligned(table: &Table) -> String {
    let mut grid = Grid::new();
    grid.load_preset(presets::NOTHING)
        .set_style(TableComponent::TopBorder, '─')
        .set_style(TableComponent::TopBorderIntersections, '─')
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_style(TableComponent::BottomBorder, '─')
        .set_style(TableComponent::BottomBorderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Disabled);
    let grouped = table.columns.iter().any(|column| !column.group.is_empty());
    let mut heads = Vec::new();
    for (group, count) in table.groups() {
        for nth in 0..count {
            let column = &table.columns[heads.len()];
            let group = if nth == 0 { group } else { "" };
            let head = if grouped {
                format!("{group}\n{}", column.name)
            } else {
                column.name.clone()
            };
            heads.push(head);
        }
    }
    grid.set_header(heads);
    // Marks hang to the right of the numbers, so that digits stay below each other.
    let overhang: Vec<usize> = (0..table.columns.len())
        .map(|i| {
            let marks = table.rows.iter().map(|row| row.cells[i].mark());
            marks.map(|mark| mark.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for (nth, row) in table.rows.iter().enumerate() {
        if row.begins && nth > 0 {
            grid.add_row(Row::from(vec![""; table.columns.len()]));
        }
        grid.add_row(row.cells.iter().zip(&overhang).map(|(cell, &overhang)| {
            Cell::new(format!("{}{:overhang$}", cell.plain(), cell.mark()))
        }));
    }
    let mut first = 0;
    for (nth, (_, count)) in table.groups().into_iter().enumerate() {
        for i in first..first + count {
            let Some(column) = grid.column_mut(i) else {
                continue;
            };
            column.set_cell_alignment(match table.columns[i].align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
            let gap = if i == first && nth > 0 { 2 } else { 1 };
            column.set_padding((gap, 1));
        }
        first += count;
    }
    trim(&grid) + "\n"
}

fn notes(table: &Table, width: usize) -> String {
    let mut notes = Grid::new();
    notes
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width as u16);
    notes.add_rows(table.notes.iter().map(|note| ["·", note]));
    if let Some(bullet) = notes.column_mut(0) {
        bullet.set_padding((1, 0));
    }
    trim(&notes) + "\n"
}

fn trim(grid: &Grid) -> String {
    let lines: Vec<_> = grid
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}
