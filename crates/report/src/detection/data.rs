//! Everything in long form, for data files: one row for each target, generator, setting and measure, nothing rounded.
//! Rates are in [0, 1], but for the paper's, which are in % as printed.

use verify::Rate;

use super::details::answers;
use super::{Findings, NotRun};
use crate::attacked::Attacked;
use crate::long::{Fields, align, done, of_target, skipped};
use crate::numbers::median;
use crate::paper::{Kinship, Measure};
use crate::pool::{Block, Point, Series, Setting};
use crate::study::IDENTITY;
use crate::{Cell, Table};

impl Findings<'_> {
    /// The table for data files.
    pub(super) fn data(&self, not_run: &[NotRun]) -> Table {
        let mut rows = Vec::new();
        for block in &self.blocks {
            for series in &block.series {
                for measure in [Measure::Single, Measure::Pair] {
                    let mut row = done(self.scale);
                    row.extend(target(block));
                    row.extend(samples(series));
                    let mut untouched = row.clone();
                    untouched.extend(self.row("untouched", measure, Cell::Missing, Cell::Missing));
                    untouched.extend(rate(series.false_alarms(measure)));
                    rows.push(untouched);
                    for point in &series.points {
                        let mut row = row.clone();
                        row.extend(self.point(block, series, point, measure));
                        rows.push(row);
                    }
                }
            }
        }
        rows.extend(not_run.iter().map(|missing| skipped(missing, self.scale)));
        align(self.title(", data"), rows)
    }

    /// What stands before the rate.
    fn row(&self, condition: &str, measure: Measure, setting: Cell, value: Cell) -> Fields {
        let mut row = vec![
            ("condition", Cell::text(condition)),
            ("measure", Cell::text(measure.name())),
        ];
        if self.study.spread {
            row.push(("setting", setting));
        }
        row.extend(self.study.axis.map(|axis| match axis {
            // Of pruning the field has the name of what is detected.
            "rate" => ("pruned", value),
            axis => (axis, value),
        }));
        row
    }

    fn point(&self, block: &Block, series: &Series, point: &Point, measure: Measure) -> Fields {
        let condition = match point.setting {
            Setting::Unchanged => IDENTITY,
            Setting::Attack { .. } => &point.runs[0].attack,
        };
        let value = Cell::maybe(point.setting.value(), Cell::Scientific);
        let label = self.study.label(&point.setting);
        let mut row = self.row(condition, measure, label, value);
        row.extend(rate(point.rate(measure)));
        row.extend(mean(point, measure));
        row.extend(attack(series, point, measure));
        row.extend(classes(point, measure));
        row.extend(self.printed(block, series, point, measure));
        row
    }

    fn printed(&self, block: &Block, series: &Series, point: &Point, measure: Measure) -> Fields {
        let kinship = block.kinship();
        let setting = kinship.setting();
        let printed = self.study.beside(&point.setting).and_then(|at| {
            let paper = &self.paper;
            paper.rate(setting.dataset, series.generator, measure, at)
        });
        let Some(printed) = printed else {
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
}

fn target(block: &Block) -> Fields {
    let target = block.target;
    let mut fields = of_target(target, &block.target_variant);
    fields.extend([
        ("target_seed", Cell::Count(target.seed)),
        ("top1_hits", Cell::Count(target.accuracy.hits())),
        ("top1_of", Cell::Count(target.accuracy.of())),
        ("attack_variant", Cell::text(&block.attack_variant)),
    ]);
    fields
}

fn samples(series: &Series) -> Fields {
    let sum = |count: fn(&store::SetRecord) -> u64| {
        Cell::Count(series.sets.iter().map(|set| count(set)).sum())
    };
    let margins = series.sets.iter().flat_map(|set| &set.margins);
    vec![
        ("generator", Cell::text(series.generator)),
        ("generator_variant", Cell::text(&series.variant)),
        ("own_pairs", Cell::Flag(series.are_pairs())),
        ("samples_made", sum(|set| set.made)),
        ("samples_asked", sum(|set| set.asked)),
        ("samples_uncrossed", sum(|set| set.uncrossed)),
        (
            "samples_on_boundary",
            sum(store::SetRecord::on_the_boundary),
        ),
        (
            "median_margin",
            Cell::maybe(median(margins.copied().map(f64::from)), Cell::Scientific),
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

fn mean(point: &Point, measure: Measure) -> Fields {
    let Some((mean, interval)) = point.mean(measure) else {
        return Fields::new();
    };
    vec![
        ("mean", Cell::number(mean, 4)),
        (
            "mean_low95",
            Cell::maybe(interval, |(low, _)| Cell::number(low, 4)),
        ),
        (
            "mean_high95",
            Cell::maybe(interval, |(_, high)| Cell::number(high, 4)),
        ),
    ]
}

fn classes(point: &Point, measure: Measure) -> Fields {
    let Some(answers) = answers(point) else {
        return Fields::new();
    };
    let rate = match measure {
        Measure::Single => answers.single,
        Measure::Pair => answers.pair,
    };
    let mut fields = vec![
        ("classes_hits", Cell::Count(rate.hits())),
        ("classes_of", Cell::Count(rate.of())),
    ];
    let both = Cell::Count(answers.both.hits());
    fields.extend((measure == Measure::Pair).then_some(("classes_both", both)));
    fields
}

fn attack(series: &Series, point: &Point, measure: Measure) -> Fields {
    let attacked = Attacked::of(&point.models());
    let all_pairs = point.runs.iter().filter_map(|run| run.all_pairs);
    let all_pairs = all_pairs.sum::<f64>() / point.runs.len() as f64;
    let pairs = |cell: Cell| match measure {
        Measure::Single => Cell::Missing,
        Measure::Pair => cell,
    };
    vec![
        ("seeds", Cell::Count(point.seeds() as u64)),
        ("sets", Cell::Count(point.sets() as u64)),
        ("runs", Cell::Count(point.runs.len() as u64)),
        (
            "all_pairs",
            match series.are_pairs() {
                true => Cell::Missing,
                false => pairs(Cell::number(all_pairs, 4)),
            },
        ),
        (
            "both",
            pairs(Cell::Count(point.runs.iter().map(|run| run.both).sum())),
        ),
        (
            "balance_runs",
            Cell::Count(point.runs_that_tell_balance() as u64),
        ),
        ("weights_changed", Cell::number(attacked.changed, 4)),
        ("mean_abs_change", Cell::Scientific(attacked.mean_abs)),
        ("max_abs_change", Cell::Scientific(attacked.max_abs)),
        ("top1_after_hits", Cell::Count(attacked.top1.hits())),
        ("top1_after_of", Cell::Count(attacked.top1.of())),
        (
            "success_before",
            Cell::number(attacked.success_before.value(), 4),
        ),
        (
            "success_after",
            Cell::number(attacked.success_after.value(), 4),
        ),
    ]
}
