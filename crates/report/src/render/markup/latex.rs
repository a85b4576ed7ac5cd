//! LaTeX for a paper: `booktabs` rules, groups as `\multicolumn`, everything escaped. Tables larger than a page are scaled
//! down. Notes are text below the table, and may continue on the next page.

use std::fmt::Write;

use crate::document::table::{Align, Cell, Table};

pub fn render(table: &Table) -> String {
    let mut out = String::from(
        "% needs \\usepackage{booktabs} and \\usepackage{adjustbox}\n\\begin{table*}[t]\n\\centering\n",
    );
    let _ = writeln!(out, "\\caption{{{}}}", escape(&table.title));
    let aligns: String = table
        .columns
        .iter()
        .map(|column| match column.align {
            Align::Left => 'l',
            Align::Right => 'r',
        })
        .collect();
    let _ = writeln!(
        out,
        "\\small\\setlength{{\\tabcolsep}}{{4pt}}\n\\begin{{adjustbox}}{{max width=\\linewidth, max totalheight=0.85\\textheight}}\n\\begin{{tabular}}{{{aligns}}}\n\\toprule"
    );
    groups(&mut out, table);
    line(
        &mut out,
        table.columns.iter().map(|column| escape(&column.name)),
    );
    out.push_str("\\midrule\n");
    for (nth, row) in table.rows.iter().enumerate() {
        if row.begins && nth > 0 {
            out.push_str("\\addlinespace\n");
        }
        line(&mut out, row.cells.iter().map(cell));
    }
    out.push_str("\\bottomrule\n\\end{tabular}\n\\end{adjustbox}\n\\end{table*}\n");
    if !table.notes.is_empty() {
        // A float may end up elsewhere: its notes say whose they are.
        let _ = writeln!(
            out,
            "{{\\footnotesize\\raggedright\n\\noindent\\emph{{{}}}\\par",
            escape(&table.title)
        );
        for note in &table.notes {
            let _ = writeln!(out, "\\noindent {}\\par", escape(note));
        }
        out.push_str("}\n");
    }
    out
}

/// The line of group headings, with a short rule below each.
fn groups(out: &mut String, table: &Table) {
    let groups = table.groups();
    if groups.iter().all(|(group, _)| group.is_empty()) {
        return;
    }
    line(
        out,
        groups.iter().map(|(group, count)| {
            if group.is_empty() {
                String::new()
            } else {
                format!("\\multicolumn{{{count}}}{{c}}{{{}}}", escape(group))
            }
        }),
    );
    let mut rules = Vec::new();
    let mut first = 1;
    for (group, count) in groups {
        let last = first + count - 1;
        if !group.is_empty() {
            rules.push(format!("\\cmidrule(lr){{{first}-{last}}}"));
        }
        first = last + 1;
    }
    let _ = writeln!(out, "{}", rules.join(" "));
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<_> = cells.collect();
    let _ = writeln!(out, "{} \\\\", cells.join(" & "));
}

fn cell(cell: &Cell) -> String {
    let text = match cell.bare() {
        // `1e-10` is 10 to the -10th, `2.5e-7` is 2.5 times 10 to the -7th.
        Cell::Scientific(_) => match cell.plain().split_once('e') {
            Some(("1", exponent)) => return format!("$10^{{{exponent}}}$"),
            Some((digits, exponent)) => return format!("${digits}\\cdot 10^{{{exponent}}}$"),
            None => cell.plain(),
        },
        _ => cell.plain(),
    };
    escape(&text) + &escape(cell.mark())
}

/// Escapes text for LaTeX. Text between backquotes becomes typewriter.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut typed = false;
    for c in text.chars() {
        match c {
            '`' => {
                out.push_str(if typed { "}" } else { "\\texttt{" });
                typed = !typed;
            }
            '-' if typed => out.push_str("-{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '†' => out.push_str("\\textsuperscript{\\textdagger}"),
            '–' => out.push_str("--"),
            '·' => out.push_str("\\textperiodcentered{}"),
            '×' => out.push_str("$\\times$"),
            'Δ' => out.push_str("$\\Delta$"),
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    if typed {
        out.push('}');
    }
    out
}
