//! Table III: detection rates after fine-tuning at six learning rates, in the paper's layout and with its numbers beside
//! ours; then what the paper does not print: counts, intervals, false alarms, what the attack did, what the samples are.

mod data;
mod details;

use spec::Scale;
use verify::Rate;

use crate::figure::Figure;
use crate::paper::{Kinship, Measure, Paper, Setting};
use crate::pool::{Block, GENERATORS, Point, Series, title};
use crate::{Cell, Column, Document, Records, Row, Table};

/// Part of a grid that was not computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun {
    /// The data set, for people.
    pub dataset_title: String,
    /// Why not.
    pub reason: String,
    /// What to type to get it.
    pub command: String,
}

const MARK: &str = "†";
const BOTH: [Measure; 2] = [Measure::Single, Measure::Pair];

/// The report of a fine-tuning grid: the table of rates, three tables of details, one of data, and the figure.
///
/// Runs are pooled over seeds only; whatever else differs gets columns or rows of its own.
pub fn build(records: &Records, paper: &Paper, scale: Scale, not_run: &[NotRun]) -> Document {
    let blocks = Block::all(records);
    let columns = generators(&blocks);
    Document {
        tables: vec![
            rates(&blocks, &columns, paper, scale, not_run),
            details::counts(&blocks, &columns, scale),
            details::attacks(&blocks, scale),
            details::samples(&blocks, scale),
        ],
        data: data::table(&blocks, paper, scale, not_run),
        figure: Figure::new(&blocks, paper, scale),
    }
}

/// The generators that get columns, as (generator, variant): the paper's four and whatever else was run.
fn generators<'a>(blocks: &'a [Block<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let all = blocks.iter().flat_map(|block| &block.series);
    let all: Vec<_> = all
        .map(|series| (series.generator, series.variant.as_str()))
        .collect();
    let known = GENERATORS.iter().map(|(name, _)| *name);
    let others = all.iter().map(|(name, _)| *name);
    for generator in known.chain(others) {
        let mut variants: Vec<&str> = all
            .iter()
            .filter(|(name, _)| *name == generator)
            .map(|(_, variant)| *variant)
            .collect();
        if variants.is_empty() {
            variants.push("");
        }
        variants.sort_unstable();
        for variant in variants {
            if !found.contains(&(generator, variant)) {
                found.push((generator, variant));
            }
        }
    }
    found
}

/// Which rates of a generator the paper's layout shows: of plain images it has the single rate only.
fn measures(generator: &str) -> &'static [Measure] {
    if generator == "validset" {
        &BOTH[..1]
    } else {
        &BOTH
    }
}

/// Whether the paper prints this rate at all.
fn printed(generator: &str, measure: Measure) -> bool {
    match generator {
        "validset" => measure == Measure::Single,
        "dbi" | "aid" => true,
        "ours" => measure == Measure::Pair,
        _ => false,
    }
}

/// The mark of a rate that says how the reference labels were balanced rather than how sensitive the samples are. Pairs
/// across the boundary have one label each: their pair rate is a detection all the same.
fn mark(series: &Series, point: &Point, measure: Measure) -> &'static str {
    let genuine = measure == Measure::Pair && series.are_pairs();
    if point.same_label() && !genuine {
        MARK
    } else {
        ""
    }
}

fn percent(rate: Rate) -> f64 {
    100.0 * rate.value()
}

fn rates(
    blocks: &[Block],
    generators: &[(&str, &str)],
    paper: &Paper,
    scale: Scale,
    not_run: &[NotRun],
) -> Table {
    let mut columns = vec![Column::left("data set"), Column::right("", "lr")];
    for (generator, variant) in generators {
        for &measure in measures(generator) {
            let group = title(generator, variant);
            columns.push(Column::right(&group, measure.name()));
            if printed(generator, measure) {
                columns.push(Column::right(group, "paper"));
            }
        }
    }
    let mut rows = Vec::new();
    for block in blocks {
        let mut lines = Vec::new();
        let line = |ours: &dyn Fn(&Series, Measure) -> Cell, theirs: Option<(&Setting, f64)>| {
            cells(generators, |generator, variant, measure| {
                let series = block.series(generator, variant);
                let beside = theirs
                    .and_then(|(setting, lr)| paper.rate(setting.dataset, generator, measure, lr));
                let ours = Cell::maybe(series, |series| ours(series, measure));
                (ours, Cell::maybe(beside, Cell::text))
            })
        };
        let alarms = |series: &Series, measure: Measure| {
            Cell::number(percent(series.false_alarms(measure)), 1)
        };
        lines.push((Cell::text("untouched"), line(&alarms, None)));
        for lr in block.lrs() {
            let rate = |series: &Series, measure: Measure| {
                Cell::maybe(series.point(lr), |point| {
                    let mark = mark(series, point, measure);
                    Cell::marked(percent(point.rate(measure)), 1, mark)
                })
            };
            let beside = block.kinship().beside().map(|setting| (setting, lr));
            lines.push((Cell::Scientific(lr), line(&rate, beside)));
        }
        let mut names = block.lines();
        names.push(format!("top-1 {:.1} %", percent(block.target.accuracy)));
        let beside = block.kinship().beside();
        names.extend(beside.map(|setting| format!("paper: {}", setting.title)));
        push(&mut rows, names, lines);
    }
    let reference = reference(blocks);
    if let Some(setting) = reference {
        let lines = paper.lrs(setting.dataset).into_iter().map(|lr| {
            let cells = cells(generators, |generator, _, measure| {
                let rate = paper.rate(setting.dataset, generator, measure, lr);
                (Cell::Blank, Cell::maybe(rate, Cell::text))
            });
            (Cell::Scientific(lr), cells)
        });
        let names = vec![
            format!("paper ({},", setting.title),
            format!("{})", setting.network),
            format!("top-1 {} %", setting.top1),
        ];
        push(&mut rows, names, lines.collect());
    }
    for missing in not_run {
        let width = columns.len() - 2;
        let line = (Cell::text("not run"), vec![Cell::Missing; width]);
        push(&mut rows, vec![missing.dataset_title.clone()], vec![line]);
    }
    Table {
        title: format!(
            "Table III: detection rate in % after fine-tuning{}",
            scale.title_suffix()
        ),
        columns,
        notes: notes(blocks, generators, reference, &rows, not_run),
        rows,
    }
}

/// One line of the table of rates: our number and, where the paper has such a column, the paper's.
fn cells(
    generators: &[(&str, &str)],
    cell: impl Fn(&str, &str, Measure) -> (Cell, Cell),
) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (generator, variant) in generators {
        for &measure in measures(generator) {
            let (ours, theirs) = cell(generator, variant, measure);
            cells.push(ours);
            if printed(generator, measure) {
                cells.push(theirs);
            }
        }
    }
    cells
}

/// Adds a block of rows; its name stands in the first column, line by line, and what is left over in its last row.
fn push(rows: &mut Vec<Row>, mut name: Vec<String>, lines: Vec<(Cell, Vec<Cell>)>) {
    let last = lines.len().saturating_sub(1);
    if name.len() > lines.len() {
        let rest = name.split_off(last).join(", ");
        name.push(rest);
    }
    let mut name = name.into_iter();
    for (nth, (lr, rest)) in lines.into_iter().enumerate() {
        let first = Cell::text(name.next().unwrap_or_default());
        let mut cells = vec![first, lr];
        cells.extend(rest);
        rows.push(Row {
            begins: nth == 0,
            cells,
        });
    }
}

/// The setting whose numbers are shown for orientation: some block is far from the paper, and none shows them beside its
/// own.
fn reference(blocks: &[Block]) -> Option<&'static Setting> {
    let foreign = blocks.iter().find_map(|block| match block.kinship() {
        Kinship::Foreign(setting) => Some(setting),
        _ => None,
    })?;
    let shown = |block: &Block| block.kinship().beside() == Some(foreign);
    (!blocks.iter().any(shown)).then_some(foreign)
}

fn notes(
    blocks: &[Block],
    generators: &[(&str, &str)],
    reference: Option<&Setting>,
    rows: &[Row],
    not_run: &[NotRun],
) -> Vec<String> {
    let mut notes: Vec<String> = not_run
        .iter()
        .map(|missing| {
            format!(
                "{}: not run, {}. To get it: `{}`",
                missing.dataset_title, missing.reason, missing.command
            )
        })
        .collect();
    if blocks.is_empty() {
        notes.push("Nothing has been computed yet.".to_owned());
        return notes;
    }
    notes.push(
        "single: samples whose label changed; pair: pairs of which at least one member's label changed. Ours judges its \
         own pairs, the others pairs of two samples drawn at random, as the paper does."
            .to_owned(),
    );
    let controls: Rate = blocks
        .iter()
        .flat_map(|block| &block.series)
        .map(|series| series.false_alarms(Measure::Single))
        .sum();
    notes.push(format!(
        "untouched: false alarms, the unmodified model asked again about the same samples (other batch sizes, order, \
         threads): {}/{} labels changed in all. lr 0: a control, fine-tuning that must not move a weight.",
        controls.hits(),
        controls.of()
    ));
    for block in blocks {
        notes.push(format!(
            "{}: top-1 {}; {}.",
            block.title(),
            block.target.accuracy,
            block.extent()
        ));
        match block.kinship() {
            Kinship::Same(setting) => notes.push(format!(
                "paper: {} beside {}: as printed for {setting} (top-1 {} %), the same data set and network.",
                setting.title,
                block.title(),
                setting.top1
            )),
            Kinship::Akin(setting) => notes.push(format!(
                "paper: {} beside {}: as printed for {setting} (top-1 {} %), not the same experiment: another {}.",
                setting.title,
                block.title(),
                setting.top1,
                difference(block, setting)
            )),
            Kinship::Foreign(_) => notes.push(format!("{} is not in the paper.", block.title())),
        }
    }
    if let Some(setting) = reference {
        notes.push(format!(
            "paper ({setting}): printed values of another experiment, for orientation only; compare the shape of the \
             rows, not the numbers."
        ));
    }
    let marked = |row: &Row| row.cells.iter().any(|cell| cell.mark() == MARK);
    if rows.iter().any(marked) {
        notes.push(format!(
            "{MARK} in at least one run all labels coincide after the attack: the rate is then the balance of the \
             reference labels, not a sensitivity."
        ));
    }
    let missing = generators.iter().filter(|(generator, variant)| {
        let mut blocks = blocks.iter();
        !blocks.any(|block| block.series(generator, variant).is_some())
    });
    let missing: Vec<_> = missing
        .map(|(generator, variant)| title(generator, variant))
        .collect();
    if !missing.is_empty() {
        notes.push(format!("Not in this grid: {}.", missing.join(", ")));
    }
    notes
}

/// In what a related target differs from the paper's.
fn difference(block: &Block, setting: &Setting) -> &'static str {
    let network = block.target.model.eq_ignore_ascii_case(setting.network);
    match (block.target.dataset == setting.dataset, network) {
        (true, _) => "network",
        (false, true) => "form of the data set",
        (false, false) => "form of the data set and another network",
    }
}
