//! What the paper does not print: counts and intervals, what the attack did to the model, what the samples are.

use spec::Scale;
use store::{SetRecord, Stop};
use verify::Rate;

use super::{measures, percent, push};
use crate::paper::Measure;
use crate::pool::{Block, Series, range, title};
use crate::{Cell, Column, Table};

/// Counts and intervals of every rate.
pub fn counts(blocks: &[Block], generators: &[(&str, &str)], scale: Scale) -> Table {
    let mut columns = vec![Column::left("data set"), Column::right("", "lr")];
    for (generator, variant) in generators {
        for &measure in measures(generator) {
            columns.push(Column::right(title(generator, variant), measure.name()));
        }
    }
    let mut rows = Vec::new();
    for block in blocks {
        let line = |rate: &dyn Fn(&Series, Measure) -> Option<Rate>| {
            let mut cells = Vec::new();
            for (generator, variant) in generators {
                for &measure in measures(generator) {
                    let series = block.series(generator, variant);
                    let rate = series.and_then(|series| rate(series, measure));
                    cells.push(Cell::maybe(rate, counted));
                }
            }
            cells
        };
        let alarms = line(&|series, measure| Some(series.false_alarms(measure)));
        let mut lines = vec![(Cell::text("untouched"), alarms)];
        for lr in block.lrs() {
            let rate = |series: &Series, measure| Some(series.point(lr)?.rate(measure));
            lines.push((Cell::Scientific(lr), line(&rate)));
        }
        push(&mut rows, block.lines(), lines);
    }
    Table {
        title: format!(
            "Table III, counts and 95 % intervals in %{}",
            scale.title_suffix()
        ),
        columns,
        rows,
        notes: vec![
            "hits/n pooled over seeds, with the Wilson interval of independent trials; samples judged by one attacked \
             model are not independent, so the true uncertainty is larger."
                .to_owned(),
            "All digits, and the exact pair rate over all pairs of two samples, are in the data files.".to_owned(),
        ],
    }
}

/// `36/90 [31, 50]`.
fn counted(rate: Rate) -> Cell {
    if rate.of() == 0 {
        return Cell::Missing;
    }
    let (low, high) = rate.wilson95();
    Cell::text(format!(
        "{}/{} [{:.0}, {:.0}]",
        rate.hits(),
        rate.of(),
        100.0 * low,
        100.0 * high
    ))
}

/// What the attack did to the model.
pub fn attacks(blocks: &[Block], scale: Scale) -> Table {
    let columns = vec![
        Column::left("data set"),
        Column::right("", "lr"),
        Column::right("", "seeds"),
        Column::right("weights", "changed %"),
        Column::right("weights", "mean |Δ|"),
        Column::right("weights", "largest |Δ|"),
        Column::right("top-1 %", "before"),
        Column::right("top-1 %", "after"),
        Column::right("top-1 %", "after, 95 %"),
    ];
    let mut rows = Vec::new();
    for block in blocks {
        let lines = block.lrs().into_iter().map(|lr| {
            let runs = block.attacks(lr);
            let mean = |value: &dyn Fn(&store::RunRecord) -> f64| {
                runs.iter().map(|run| value(run)).sum::<f64>() / runs.len() as f64
            };
            let changed =
                mean(&|run| 100.0 * run.change.changed as f64 / run.change.weights as f64);
            let largest = runs.iter().map(|run| run.change.max_abs);
            let before: Rate = runs.iter().map(|run| run.accuracy_before).sum();
            let after: Rate = runs.iter().map(|run| run.accuracy_after).sum();
            let (low, high) = after.wilson95();
            let cells = vec![
                Cell::Count(runs.len() as u64),
                Cell::number(changed, 2),
                Cell::Scientific(mean(&|run| run.change.mean_abs)),
                Cell::Scientific(largest.fold(0.0, f64::max)),
                Cell::number(percent(before), 2),
                Cell::number(percent(after), 2),
                Cell::text(format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high)),
            ];
            (Cell::Scientific(lr), cells)
        });
        push(&mut rows, block.lines(), lines.collect());
    }
    Table {
        title: format!("Table III, what the attack did{}", scale.title_suffix()),
        columns,
        rows,
        notes: vec![
            "changed: weights whose 32 bits differ, mean over seeds; largest |Δ| over all seeds; top-1 on the test \
             images used, pooled over seeds."
                .to_owned(),
        ],
    }
}

/// What the samples are.
pub fn samples(blocks: &[Block], scale: Scale) -> Table {
    let columns = vec![
        Column::left("data set"),
        Column::left("samples"),
        Column::right("", "sets"),
        Column::right("", "made/asked"),
        Column::right("", "not crossed"),
        Column::right("stage 1", "iterations"),
        Column::right("stage 1", "ended by"),
        Column::right("stage 1", "median |margin|"),
        Column::right("", "largest label group"),
        Column::right("false alarms", "single"),
        Column::right("false alarms", "pair"),
    ];
    let mut rows = Vec::new();
    for block in blocks {
        let lines = block.series.iter().map(|series| {
            let sets = || series.sets.iter();
            let sum = |count: &dyn Fn(&SetRecord) -> u64| sets().map(|set| count(set)).sum::<u64>();
            let labels = sum(&|set| set.label_balance.iter().sum());
            let largest = sum(&|set| set.label_balance.iter().copied().max().unwrap_or(0));
            let alarms = |measure| {
                let rate = series.false_alarms(measure);
                match rate.of() {
                    0 => Cell::Missing,
                    of => Cell::text(format!("{}/{of}", rate.hits())),
                }
            };
            let used = range(sets().map(|set| set.iterations_used));
            let caps = range(sets().map(|set| set.iterations_cap));
            let iterates = sets().any(|set| set.stop != Stop::None);
            let stage1 = |cell: Cell| if iterates { cell } else { Cell::Missing };
            let cells = vec![
                Cell::Count(series.sets.len() as u64),
                Cell::text(format!(
                    "{}/{}",
                    sum(&|set| set.made),
                    sum(&|set| set.asked)
                )),
                Cell::Count(sum(&|set| set.uncrossed)),
                stage1(Cell::text(format!("{used}/{caps}"))),
                stage1(Cell::text(stops(&series.sets))),
                Cell::maybe(
                    median(sets().flat_map(|set| &set.margins).copied()),
                    Cell::Scientific,
                ),
                Cell::text(if labels == 0 {
                    "–".to_owned()
                } else {
                    format!("{:.1} %", 100.0 * largest as f64 / labels as f64)
                }),
                alarms(Measure::Single),
                alarms(Measure::Pair),
            ];
            (Cell::text(series.title()), cells)
        });
        push(&mut rows, block.lines(), lines.collect());
    }
    Table {
        title: format!("Table III, the samples{}", scale.title_suffix()),
        columns,
        rows,
        notes: vec![
            "made/asked counts pairs for generators of pairs; not crossed: samples that never reached the other side of \
             the boundary in stage 2."
                .to_owned(),
            "largest label group: share of the commonest reference label; a single rate near it or its complement \
             tells the balance of labels."
                .to_owned(),
        ],
    }
}

fn stops(sets: &[&SetRecord]) -> String {
    let mut names: Vec<_> = sets
        .iter()
        .map(|set| match set.stop {
            Stop::Converged => "convergence",
            Stop::Cap => "cap",
            Stop::None => "–",
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// The middle of some numbers, or the mean of the two in the middle.
pub fn median(values: impl Iterator<Item = f32>) -> Option<f64> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    let middle = values.len() / 2;
    let upper = f64::from(*values.get(middle)?);
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((f64::from(values[middle - 1]) + upper) / 2.0)
}
