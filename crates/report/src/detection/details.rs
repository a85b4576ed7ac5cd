//! What the paper does not print: counts and intervals, what the attack did to the model, what the samples are.

use store::{SetRecord, Stop};
use verify::Rate;

use super::{Findings, MARK, marked, percent, push};
use crate::attacked::Attacked;
use crate::names::{measures, title};
use crate::numbers::{between, estimate, median, range};
use crate::paper::Measure;
use crate::pool::{Block, Point, Series, is_balance};
use crate::{Cell, Column, Table};

/// What counts with an interval are.
pub(super) const COUNTED: &str = "hits/n pooled over runs, with the Wilson interval of independent trials; samples judged by one \
                                  attacked model are not independent, so the true uncertainty is larger";

impl Findings<'_> {
    /// The columns that say which row it is.
    fn first(&self) -> Vec<Column> {
        vec![
            Column::left("data set"),
            Column::right("", self.study.heading),
        ]
    }

    /// Counts and intervals of every rate.
    pub(super) fn counts(&self, generators: &[(&str, &str)]) -> Table {
        let mut columns = self.first();
        columns.extend(rates(generators));
        let mut rows = Vec::new();
        for block in &self.blocks {
            let alarms = each(block, generators, |series, measure| {
                counted(series.false_alarms(measure))
            });
            let mut lines = vec![(Cell::text("untouched"), alarms)];
            for setting in block.settings() {
                let rates = each(block, generators, |series, measure| {
                    let point = series.point(setting);
                    Cell::maybe(point, |point| counted(point.rate(measure)))
                });
                lines.push((self.study.label(setting), rates));
            }
            push(&mut rows, block.lines(), lines);
        }
        let notes = vec![
            format!("{COUNTED}: see the next table."),
            "All digits, and of single samples the exact rate over all pairs of two of them, are in the data files.".to_owned(),
        ];
        Table {
            title: self.title(", counts and 95 % intervals in %"),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes,
        }
    }

    /// Means over runs, whose intervals do not take the samples of one run for independent.
    pub(super) fn means(&self, generators: &[(&str, &str)]) -> Table {
        let mut columns = self.first();
        columns.extend(["runs", "seeds", "sets"].map(|name| Column::right("number of", name)));
        columns.extend(rates(generators));
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = block.settings().into_iter().map(|setting| {
                let points = || {
                    block
                        .series
                        .iter()
                        .filter_map(|series| series.point(setting))
                };
                let count = |of: fn(&Point) -> usize| {
                    Cell::text(range(points().map(|point| of(point) as u64)))
                };
                let mut cells = vec![
                    count(|point| point.runs.len()),
                    count(|point| point.seeds()),
                    count(|point| point.sets()),
                ];
                cells.extend(each(block, generators, |series, measure| {
                    let mean = series.point(setting).and_then(|point| point.mean(measure));
                    Cell::maybe(mean, |(mean, interval)| {
                        Cell::text(estimate(mean, interval))
                    })
                }));
                (self.study.label(setting), cells)
            });
            push(&mut rows, block.lines(), lines.collect());
        }
        Table {
            title: self.title(", means over runs and 95 % bootstrap intervals in %"),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes: vec![
                "A run is one attack seed asked with one sample set. The interval is the percentile bootstrap of the mean, \
                 10,000 times with whole sample sets and whole attack seeds drawn anew, since runs that share one of them depend \
                 on each other; of few runs it is too short, of equal ones it has no length, and of one there is none."
                    .to_owned(),
            ],
        }
    }

    /// The same answers, judged by the network's own classes; none if that was not recorded.
    pub(super) fn classes(&self, generators: &[(&str, &str)]) -> Option<Table> {
        let judged = |series: &&Series| series.points.iter().any(|point| answers(point).is_some());
        let generators: Vec<_> = generators
            .iter()
            .filter(|(generator, variant)| {
                let mut series = self
                    .blocks
                    .iter()
                    .filter_map(|block| block.series(generator, variant));
                series.any(|series| judged(&series))
            })
            .collect();
        let mut columns = self.first();
        for (generator, variant) in &generators {
            let group = title(generator, variant);
            columns.extend(["single", "pair", "both"].map(|name| Column::right(&group, name)));
        }
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = block.settings().into_iter().map(|setting| {
                let cells = generators.iter().flat_map(|(generator, variant)| {
                    let point = block.series(generator, variant);
                    let point = point.and_then(|series| series.point(setting));
                    match point.and_then(answers) {
                        Some(answers) => answers.cells(),
                        None => [Cell::Missing, Cell::Missing, Cell::Missing],
                    }
                });
                (self.study.label(setting), cells.collect())
            });
            push(&mut rows, block.lines(), lines.collect());
        }
        let mut notes = vec![
            "The same answers as in the first table, but a label is the largest of the network's own outputs instead of the \
             keyed head's two. both: pairs of which both members' labels changed. Counts are in the data files."
                .to_owned(),
        ];
        notes.extend(marked(&rows));
        (!generators.is_empty()).then(|| Table {
            title: self.title(", judged by the network's classes, in %"),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes,
        })
    }

    /// What the attack did to the model.
    pub(super) fn attacks(&self) -> Table {
        let all = || {
            let series = self.blocks.iter().flat_map(|block| &block.series);
            series
                .flat_map(|series| &series.points)
                .flat_map(|point| &point.runs)
        };
        let steps = all().any(|run| run.steps > 0);
        let reached = all().any(|run| run.reached.is_some());
        let success = all().any(|run| run.success_after.is_some());
        let mut columns = self.first();
        columns.push(Column::right("", "seeds"));
        columns.extend(steps.then(|| Column::right("", "steps")));
        columns.extend(
            ["changed %", "mean |Δ|", "largest |Δ|"].map(|name| Column::right("weights", name)),
        );
        columns
            .extend(["before", "after", "after, 95 %"].map(|name| Column::right("top-1 %", name)));
        columns.extend(reached.then(|| Column::right("attack", "reached")));
        if success {
            columns.extend(["% before", "% after"].map(|name| Column::right("attack", name)));
        }
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = block.settings().into_iter().map(|setting| {
                let runs = block.attacks(setting);
                let attacked = Attacked::of(&runs);
                let mut cells = vec![Cell::Count(runs.len() as u64)];
                cells.extend(steps.then(|| Cell::text(range(runs.iter().map(|run| run.steps)))));
                cells.extend(change(&attacked));
                cells.extend(reached.then(|| match attacked.reached {
                    rate if rate.of() == 0 => Cell::Missing,
                    rate => Cell::text(format!("{}/{}", rate.hits(), rate.of())),
                }));
                if success {
                    let rates = [attacked.success_before, attacked.success_after];
                    cells.extend(rates.map(|rate| Cell::number(percent(rate), 1)));
                }
                (self.study.label(setting), cells)
            });
            push(&mut rows, block.lines(), lines.collect());
        }
        let mut notes = vec![
            "changed: weights whose 32 bits differ, mean over seeds; largest |Δ| over all seeds; top-1 on the test \
             images used, mean over seeds, with the Wilson interval of that many images."
                .to_owned(),
        ];
        if reached || success {
            notes.push(
                "attack: models in which the attacker reached what they work for, of all; and how often the model does what \
                 they want on images it had not seen, pooled over seeds."
                    .to_owned(),
            );
        }
        Table {
            title: self.title(", what the attack did"),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes,
        }
    }

    /// What the samples are.
    pub(super) fn samples(&self) -> Table {
        let columns = vec![
            Column::left("data set"),
            Column::left("samples"),
            Column::right("", "sets"),
            Column::right("", "made/asked"),
            Column::right("", "not crossed"),
            Column::right("stage 1", "iterations"),
            Column::right("stage 1", "ended by"),
            Column::right("stage 1", "median |margin|"),
            Column::right("stage 1", "margin 0"),
            Column::right("", "largest label group"),
            Column::right("false alarms", "single"),
            Column::right("false alarms", "pair"),
        ];
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = block.series.iter().map(|series| {
                let sets = || series.sets.iter();
                let sum =
                    |count: &dyn Fn(&SetRecord) -> u64| sets().map(|set| count(set)).sum::<u64>();
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
                        median(sets().flat_map(|set| &set.margins).copied().map(f64::from)),
                        Cell::Scientific,
                    ),
                    stage1(Cell::Count(sum(&SetRecord::on_the_boundary))),
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
            title: self.title(", the samples"),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes: vec![
                "made/asked counts pairs for generators of pairs; not crossed: samples that never reached the other side of \
                 the boundary in stage 2."
                    .to_owned(),
                "margin 0: samples that lie on the boundary to the last bit of f32. Their label is the first, so they notice a \
                 boundary that moves one way and none that moves the other."
                    .to_owned(),
                "largest label group: share of the commonest reference label; a single rate near it or its complement \
                 tells the balance of labels."
                    .to_owned(),
            ],
        }
    }
}

/// Two columns a generator, as far as its layout has them.
fn rates(generators: &[(&str, &str)]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (generator, variant) in generators {
        for measure in measures(generator) {
            columns.push(Column::right(title(generator, variant), measure.name()));
        }
    }
    columns
}

/// The cells of these columns.
fn each(
    block: &Block,
    generators: &[(&str, &str)],
    cell: impl Fn(&Series, Measure) -> Cell,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (generator, variant) in generators {
        for &measure in measures(generator) {
            let series = block.series(generator, variant);
            cells.push(Cell::maybe(series, |series| cell(series, measure)));
        }
    }
    cells
}

/// What the answers are by the network's classes.
pub struct ByClasses {
    pub single: Rate,
    pub pair: Rate,
    pub both: Rate,
    tells_balance: bool,
}

impl ByClasses {
    /// In per cent.
    fn cells(&self) -> [Cell; 3] {
        let mark = if self.tells_balance { MARK } else { "" };
        [self.single, self.pair, self.both].map(|rate| Cell::marked(percent(rate), 1, mark))
    }
}

/// The answers by the network's classes; none if that was not recorded.
pub fn answers(point: &Point) -> Option<ByClasses> {
    let answers = || point.runs.iter().filter_map(|run| run.classes);
    answers().next()?;
    let pair: Rate = answers().map(|answers| answers.pair).sum();
    Some(ByClasses {
        single: answers().map(|answers| answers.single).sum(),
        pair,
        both: Rate::new(answers().map(|answers| answers.both).sum(), pair.of()),
        tells_balance: answers().any(|answers| is_balance(answers.same_label, answers.single)),
    })
}

/// How far the weights moved, and the accuracy before and after.
fn change(attacked: &Attacked) -> [Cell; 6] {
    let (low, high) = attacked.top1.wilson95();
    [
        Cell::number(100.0 * attacked.changed, 2),
        Cell::Scientific(attacked.mean_abs),
        Cell::Scientific(attacked.max_abs),
        Cell::number(percent(attacked.before), 2),
        Cell::number(percent(attacked.after), 2),
        Cell::text(format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high)),
    ]
}

/// `36/90 [30.5, 50.3]`.
pub(super) fn counted(rate: Rate) -> Cell {
    if rate.of() == 0 {
        return Cell::Missing;
    }
    let (low, high) = rate.wilson95();
    Cell::text(format!(
        "{}/{} {}",
        rate.hits(),
        rate.of(),
        between(low, high)
    ))
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
