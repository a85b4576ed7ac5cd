//! Everything in long form, for data files: one row for each target, generator, learning rate and measure, nothing
//! rounded. Rates are in [0, 1], but for the paper's, which are in % as printed.

use spec::Scale;
use store::RunRecord;
use verify::Rate;

use super::NotRun;
use super::details::median;
use crate::paper::{Kinship, Measure, Paper};
use crate::pool::{Block, Point, Series};
use crate::{Cell, Column, Row, Table};

/// A row, by the names of its columns.
type Fields = Vec<(&'static str, Cell)>;

/// The table for data files.
pub fn table(blocks: &[Block], paper: &Paper, scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows = Vec::new();
    for block in blocks {
        for series in &block.series {
            for measure in [Measure::Single, Measure::Pair] {
                let mut row = vec![
                    ("status", Cell::text("done")),
                    ("scale", Cell::text(scale.to_string())),
                ];
                row.extend(target(block));
                row.extend(samples(series));
                let controls = series.false_alarms(measure);
                let mut untouched = row.clone();
                untouched.extend([
                    ("condition", Cell::text("untouched")),
                    ("measure", Cell::text(measure.name())),
                    ("lr", Cell::Missing),
                ]);
                untouched.extend(rate(controls));
                rows.push(untouched);
                for point in &series.points {
                    let mut row = row.clone();
                    row.extend([
                        ("condition", Cell::text("finetune")),
                        ("measure", Cell::text(measure.name())),
                        ("lr", Cell::Scientific(point.lr)),
                    ]);
                    row.extend(rate(point.rate(measure)));
                    row.extend(attack(point, measure));
                    row.extend(beside(block, series, point.lr, measure, paper));
                    rows.push(row);
                }
            }
        }
    }
    rows.extend(not_run.iter().map(|missing| {
        vec![
            ("status", Cell::text("not run")),
            ("scale", Cell::text(scale.to_string())),
            ("dataset_title", Cell::text(&missing.dataset_title)),
            ("reason", Cell::text(&missing.reason)),
            ("command", Cell::text(&missing.command)),
        ]
    }));
    let title = format!("Table III, data{}", scale.title_suffix());
    align(title, rows)
}

/// The columns are all names, in the order in which they first appear.
fn align(title: String, rows: Vec<Fields>) -> Table {
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
        notes: Vec::new(),
    }
}

fn target(block: &Block) -> Fields {
    let target = block.target;
    vec![
        ("dataset", Cell::text(&target.dataset)),
        ("dataset_title", Cell::text(&target.dataset_title)),
        ("network", Cell::text(&target.model)),
        ("target", Cell::text(target.id.to_string())),
        ("target_variant", Cell::text(&block.target_variant)),
        ("target_seed", Cell::Count(target.seed)),
        ("top1_hits", Cell::Count(target.accuracy.hits())),
        ("top1_of", Cell::Count(target.accuracy.of())),
        ("attack_variant", Cell::text(&block.attack_variant)),
    ]
}

fn samples(series: &Series) -> Fields {
    let sum = |count: fn(&store::SetRecord) -> u64| {
        Cell::Count(series.sets.iter().map(|set| count(set)).sum())
    };
    let margins = series.sets.iter().flat_map(|set| &set.margins).copied();
    vec![
        ("generator", Cell::text(series.generator)),
        ("generator_variant", Cell::text(&series.variant)),
        ("own_pairs", Cell::Flag(series.are_pairs())),
        ("samples_made", sum(|set| set.made)),
        ("samples_asked", sum(|set| set.asked)),
        ("samples_uncrossed", sum(|set| set.uncrossed)),
        (
            "median_margin",
            Cell::maybe(median(margins), Cell::Scientific),
        ),
    ]
}

fn rate(rate: Rate) -> Fields {
    let (low, high) = rate.wilson95();
    vec![
        ("hits", Cell::Count(rate.hits())),
        ("of", Cell::Count(rate.of())),
        ("rate", Cell::number(rate.value(), 4)),
        ("low95", Cell::number(low, 4)),
        ("high95", Cell::number(high, 4)),
    ]
}

fn attack(point: &Point, measure: Measure) -> Fields {
    let mean = |value: fn(&RunRecord) -> f64| {
        point.runs.iter().map(|run| value(run)).sum::<f64>() / point.runs.len() as f64
    };
    let after: Rate = point.runs.iter().map(|run| run.accuracy_after).sum();
    let same_label = point.runs.iter().filter(|run| run.same_label).count();
    let largest = point.runs.iter().map(|run| run.change.max_abs);
    let pairs = |cell: Cell| match measure {
        Measure::Single => Cell::Missing,
        Measure::Pair => cell,
    };
    vec![
        ("seeds", Cell::Count(point.seeds() as u64)),
        ("runs", Cell::Count(point.runs.len() as u64)),
        (
            "all_pairs",
            pairs(Cell::number(mean(|run| run.all_pairs), 4)),
        ),
        (
            "both",
            pairs(Cell::Count(point.runs.iter().map(|run| run.both).sum())),
        ),
        ("same_label_runs", Cell::Count(same_label as u64)),
        (
            "weights_changed",
            Cell::number(
                mean(|run| run.change.changed as f64 / run.change.weights as f64),
                4,
            ),
        ),
        (
            "mean_abs_change",
            Cell::Scientific(mean(|run| run.change.mean_abs)),
        ),
        (
            "max_abs_change",
            Cell::Scientific(largest.fold(0.0, f64::max)),
        ),
        ("top1_after_hits", Cell::Count(after.hits())),
        ("top1_after_of", Cell::Count(after.of())),
    ]
}

fn beside(block: &Block, series: &Series, lr: f64, measure: Measure, paper: &Paper) -> Fields {
    let kinship = block.kinship();
    let setting = kinship.setting();
    let Some(printed) = paper.rate(setting.dataset, series.generator, measure, lr) else {
        return Fields::new();
    };
    let kinship = match kinship {
        Kinship::Same(_) => "same",
        Kinship::Akin(_) => "akin",
        Kinship::Foreign(_) => "foreign",
    };
    vec![
        (
            "paper_percent",
            Cell::number(printed.parse().unwrap_or(f64::NAN), 2),
        ),
        ("paper_setting", Cell::text(setting.to_string())),
        ("paper_kinship", Cell::text(kinship)),
    ]
}
