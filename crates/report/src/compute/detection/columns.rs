//! The columns of detection tables, for people and for data files.

use brink_store::RunRecord;
use brink_verify::{Noise, Rate, control, quiet_margin};

use super::super::aggregate::{Point, Series, is_balance};
use super::super::attacked::{self, Attacked};
use super::super::columns::{Column, data_only, number};
use super::super::names::measures;
use super::super::numbers::{between, estimate, percent, range};
use super::super::paper::Measure;
use super::super::study::Setting;
use super::super::subject::{EXECUTION, IDENTITY};
use super::super::target::Target;
use super::effective::effective;
use super::{Answers, Findings, Line, Samples, samples};
use crate::document::table::{Cell, Source};
use crate::label::fields;

/// What counts with an interval are.
pub const COUNTED: &str = "hits/n pooled over runs, with the Wilson interval of independent trials; samples judged by one \
                           attacked model are not independent, so the true uncertainty is larger";

/// The risk of a false alarm of a set, for which reports recommend a margin.
const RISK: f64 = 0.001;

/// The mark of a rate that says how the reference labels were balanced.
pub const MARK: &str = "†";

/// Whether a rate says how the reference labels were balanced rather than how sensitive the samples are. Of samples made as
/// pairs, a member on either side of the boundary, the pair rate is a detection all the same.
fn is_marked(series: &Series, point: &Point, measure: Measure) -> bool {
    point.tells_balance() && (measure == Measure::Single || !series.are_pairs())
}

impl<'a> Answers<'a> {
    /// The rate, pooled over runs; of the untouched model its false alarms.
    pub fn rate(&self) -> Rate {
        match self.point {
            Some(point) => point.rate(self.measure),
            None => self.series.false_alarms(self.measure),
        }
    }

    /// Whole sets of which at least one pair, or sample, changed: one trial a run, or a set of the untouched model.
    pub fn alarmed(&self) -> Rate {
        match self.point {
            Some(point) => {
                let runs = point.runs.iter();
                Rate::count(runs.map(|run| self.measure.of(run).hits() > 0))
            }
            None => {
                let sets = self.series.sets.iter();
                Rate::count(sets.map(|set| control::alarms(&set.controls)[0].hits() > 0))
            }
        }
    }

    /// The answers to the pairs that leaked, a run each; empty if none did.
    fn leaked(&self) -> Vec<Rate> {
        let runs = self.point.iter().flat_map(|point| &point.runs);
        let leaked = runs.filter_map(|run| run.leaked);
        let rates = leaked.map(|leaked| match self.measure {
            Measure::Single => leaked.single,
            Measure::Pair => leaked.pair,
        });
        rates.collect()
    }

    /// The leaked pairs, pooled over runs; `None` if none leaked.
    fn known(&self) -> Option<Rate> {
        let leaked = self.leaked();
        (!leaked.is_empty()).then(|| leaked.into_iter().sum())
    }

    /// Whole sets of which at least one leaked pair changed.
    fn known_alarmed(&self) -> Option<Rate> {
        let leaked = self.leaked();
        (!leaked.is_empty()).then(|| Rate::count(leaked.into_iter().map(|rate| rate.hits() > 0)))
    }

    /// The smallest number of pairs, or samples, of a set that detects with 99.9 % probability, if they are drawn at random. `None` if the
    /// whole set does not, and for the untouched model.
    fn needed(&self) -> Option<u64> {
        let runs = self.point?.runs.iter();
        let runs = runs.filter(|run| run.moves.is_empty() || moves_any(run));
        let rates: Vec<Rate> = runs.map(|run| self.measure.of(run)).collect();
        drawn_until(&rates, 0.001)
    }

    /// The runs in which the margin of any image moved, if margins were recorded.
    fn moved(&self) -> Option<u64> {
        let runs = &self.point?.runs;
        let recorded = runs.iter().any(|run| !run.moves.is_empty());
        recorded.then(|| runs.iter().filter(|run| moves_any(run)).count() as u64)
    }

    /// The effective number of independent samples, if runs recorded how margins move.
    fn effective(&self) -> Option<f64> {
        let members = if self.series.are_pairs() { 2 } else { 1 };
        effective(self.point?, members)
    }

    /// The attacked models; `None` for the untouched one.
    fn attacked(&self) -> Option<Attacked> {
        Some(Attacked::of(&self.point?.models()))
    }
}

impl<'a> Findings<'a> {
    /// The detection rates of some samples, and the paper's where it prints them.
    pub fn rate_columns<'b>(&'b self, samples: &[Samples<'b>]) -> Vec<Column<'b, Line<'b>>> {
        let columns = samples.iter().flat_map(|&samples| {
            measures(samples.0).iter().map(move |&measure| {
                let group = self.name(samples);
                number(&group, measure.name(), |it: &Answers| self.rate_cell(it))
                    .of(move |line: &Line<'b>| line.answers(samples, measure))
                    .paper_if(self.paper.prints(samples.0, measure), &group, move |line| {
                        let printed = self.printed_rate(*line, samples.0, measure);
                        Cell::maybe(printed, Cell::text)
                    })
            })
        });
        columns.collect()
    }

    /// The rate that the paper prints for a row, if it may be compared.
    fn printed_rate(&self, line: Line, generator: &str, measure: Measure) -> Option<&'static str> {
        let printed = line.block.comparability().paper_reference()?;
        let at = line.setting?.at()?;
        self.paper.rate(printed.dataset, generator, measure, at)
    }

    /// A rate in %, with what it rests on.
    pub fn rate_cell(&self, answers: &Answers) -> Cell {
        let Answers {
            series,
            point,
            measure,
            ..
        } = *answers;
        let marked = point.is_some_and(|point| is_marked(series, point, measure));
        let interval = match point {
            Some(point) => point.interval(measure),
            None => answers.rate().wilson95(),
        };
        let cell = Cell::marked(percent(answers.rate()), 1, if marked { MARK } else { "" });
        let cell = cell.within(interval);
        cell.resting_on(match point {
            Some(point) => self.detection_source(answers, point),
            None => self.alarm_source(answers),
        })
    }

    fn alarm_source(&self, answers: &Answers) -> Source {
        let Answers {
            block,
            series,
            measure,
            ..
        } = *answers;
        let what = self.what(answers, "untouched");
        let steps = series.sets.iter().map(|set| set.id);
        let mut source = Source::new(what, steps.chain([block.target.record.id]))
            .fact("counted", answers.rate().to_string())
            .fact("samples", sample_sets(series));
        for control in series.sets.iter().flat_map(|set| &set.controls) {
            let rate = match measure {
                Measure::Single => control.single,
                Measure::Pair => control.pair,
            };
            source = source.fact(&control.name, format!("{}/{}", rate.hits(), rate.of()));
        }
        source
    }

    fn detection_source(&self, answers: &Answers, point: &Point) -> Source {
        let Answers {
            block,
            series,
            measure,
            ..
        } = *answers;
        let label = self.study.label(&point.setting).plain();
        let runs = point.runs.iter().map(|run| run.id);
        let sets = series.sets.iter().map(|set| set.id);
        let steps = runs.chain(sets).chain([block.target.record.id]);
        let mut source = Source::new(self.what(answers, &label), steps)
            .fact("counted", answers.rate().to_string())
            .fact("runs", point.extent());
        let coincide = point.runs_that_tell_balance();
        if coincide > 0 {
            source = source.fact(
                "all labels one afterwards",
                format!("in {coincide} of {}", point.runs.len()),
            );
        }
        if let Some((mean, interval)) = point.mean(measure) {
            source = source.fact("mean over runs, %", estimate(mean, interval));
        }
        let first = point.runs[0];
        source = source.fact("attack", &first.attack);
        for (field, value) in fields(&first.spec, &[]) {
            source = source.fact(format!("attack: {field}"), value);
        }
        source = source.fact("samples", sample_sets(series));
        let set = series.sets.first();
        for (field, value) in set.iter().flat_map(|set| fields(&set.spec, &[])) {
            source = source.fact(format!("samples: {field}"), value);
        }
        source
    }

    fn what(&self, answers: &Answers, label: &str) -> String {
        let (target, samples) = (answers.block.title(), &answers.series.title);
        let measure = answers.measure.name();
        match (label, self.study.attack) {
            ("untouched" | "unchanged" | "another engine", _) | (_, None) => {
                format!("{target}: {samples}, {measure}, {label}")
            }
            (label, Some(attack)) => format!("{target}: {samples}, {measure}, {attack} {label}"),
        }
    }

    /// The columns of data files.
    pub fn data_columns<'b>(&'b self) -> Vec<Column<'b, Answers<'b>>> {
        let points = |answers: &Answers<'b>| Some(vec![answers.point?]);
        let mut columns = vec![
            Target::column().of(|it: &Answers<'b>| Some(&it.block.target)),
            target(),
        ];
        let samples = samples::columns().into_iter();
        columns.extend(samples.map(|column| column.of(|it: &Answers<'b>| Some(it.series))));
        columns.extend(self.setting());
        columns.extend([
            rate("", ""),
            mean("", ""),
            seeds().of(points),
            sets().of(points),
            runs().of(points),
            pairs(),
        ]);
        columns.extend(self.study.verdicts.then(alarms));
        columns.extend(self.leaks().then(leaked));
        let attacked = attacked::columns(&[]).into_iter();
        columns
            .extend(attacked.map(|column| column.of(|answers: &Answers<'b>| answers.attacked())));
        columns.push(classes(""));
        columns.push(self.printed());
        columns
    }

    /// Which row of a data file it is.
    fn setting<'b>(&'b self) -> Vec<Column<'b, Answers<'b>>> {
        let condition = |it: &Answers| match it.point {
            None => Cell::text("untouched"),
            Some(point) if point.setting == Setting::OtherEngine => Cell::text(EXECUTION),
            Some(point) if point.setting == Setting::Unchanged => Cell::text(IDENTITY),
            Some(point) => Cell::text(&point.runs[0].attack),
        };
        let mut columns = vec![
            data_only()
                .data("condition", "", condition)
                .text("measure", |it: &Answers| it.measure.name()),
        ];
        columns.extend(self.study.spread.then(|| {
            data_only().data("setting", "", |it: &Answers| {
                Cell::maybe(it.point, |point| self.study.label(&point.setting))
            })
        }));
        columns.extend(self.study.variable.map(|variable| {
            data_only().data(variable.column, variable.unit, |it: &Answers| {
                let value = it.point.and_then(|point| point.setting.value());
                Cell::maybe(value, Cell::Scientific)
            })
        }));
        columns
    }

    /// The rate that the paper prints, and how far it compares.
    fn printed<'b>(&'b self) -> Column<'b, Answers<'b>> {
        let rate = |answers: &Answers| {
            let at = answers.point?.setting.at()?;
            let dataset = answers.block.comparability().setting().dataset;
            let (generator, measure) = (answers.series.generator, answers.measure);
            self.paper.rate(dataset, generator, measure, at)
        };
        data_only()
            .data_if("paper_percent", "%", move |answers: &Answers| {
                Some(Cell::number(rate(answers)?.parse().unwrap_or(f64::NAN), 2))
            })
            .data_if("paper_setting", "", move |answers| {
                let setting = answers.block.comparability().setting();
                rate(answers).map(|_| Cell::text(setting.to_string()))
            })
            .data_if("paper_kinship", "", move |answers| {
                let comparability = answers.block.comparability();
                rate(answers).map(|_| Cell::text(comparability.name()))
            })
    }
}

/// Which sample sets were asked: the generator, and each set's seed and id.
fn sample_sets(series: &Series) -> String {
    let sets = series.sets.iter();
    let sets = sets.map(|set| format!("set {} ({})", set.seed, set.id));
    format!("{}, {}", series.title, sets.collect::<Vec<_>>().join(", "))
}

/// More about a target.
fn target<'a>() -> Column<'a, Answers<'a>> {
    data_only()
        .count("target_seed", "", |it: &Answers| {
            it.block.target.record.seed
        })
        .count("top1_hits", "images", |it| {
            it.block.target.record.accuracy.hits()
        })
        .count("top1_of", "images", |it| {
            it.block.target.record.accuracy.of()
        })
        .text("attack_variant", |it| &it.block.attack_variant)
}

/// A detection rate: counts and interval for people.
pub fn rate<'a>(group: &str, name: &str) -> Column<'a, Answers<'a>> {
    number(group, name, |it: &Answers| counted(it.rate())).rate("count", Answers::rate)
}

/// `36/90 [30.5, 50.3]`.
pub fn counted(rate: Rate) -> Cell {
    if rate.of() == 0 {
        return Cell::Missing;
    }
    let (low, high) = rate.wilson95();
    let interval = between(low, high);
    Cell::text(format!("{}/{} {interval}", rate.hits(), rate.of()))
}

/// Pairs that changed in %, and whole sets of which at least one pair did.
pub fn alarm<'a>(group: &str) -> Column<'a, Answers<'a>> {
    number(group, "pairs", |it: &Answers| {
        Cell::number(percent(it.rate()), 1)
    })
    .number(group, "sets", |it: &Answers| {
        let sets = it.alarmed();
        Cell::text(format!("{}/{}", sets.hits(), sets.of()))
    })
}

/// The same, and the pairs that a detection needs. `compared`: also the effective number of samples. `leaks`: also the pairs that leaked.
pub fn verdict<'a>(group: &str, compared: bool, leaks: bool) -> Column<'a, Answers<'a>> {
    let mut column = alarm(group).number(group, "needed", |it: &Answers| {
        Cell::maybe(it.needed(), Cell::Count)
    });
    if leaks {
        column = column
            .number(group, "leaked pairs", |it: &Answers| {
                Cell::maybe(it.known(), |rate| Cell::number(percent(rate), 1))
            })
            .number(group, "leaked sets", |it: &Answers| {
                let sets = it.known_alarmed();
                Cell::maybe(sets, |sets| {
                    Cell::text(format!("{}/{}", sets.hits(), sets.of()))
                })
            });
    }
    if !compared {
        return column;
    }
    column
        .number(group, "moved", |it: &Answers| {
            Cell::maybe(it.moved(), Cell::Count)
        })
        .number(group, "effective", |it: &Answers| {
            Cell::maybe(it.effective(), |number| Cell::number(number, 1))
        })
}

/// Whether the margin of any image moved.
fn moves_any(run: &RunRecord) -> bool {
    run.moves.iter().any(|size| *size != 0.0)
}

/// The smallest number of draws without replacement that miss every hit with a probability of at most `miss`, averaged over `rates`.
fn drawn_until(rates: &[Rate], miss: f64) -> Option<u64> {
    let most = rates.iter().map(|rate| rate.of()).min()?;
    let mut missing = vec![1.0; rates.len()];
    for drawn in 1..=most {
        for (missing, rate) in missing.iter_mut().zip(rates) {
            let left = rate.of() - drawn + 1;
            *missing *= left.saturating_sub(rate.hits()) as f64 / left as f64;
        }
        if missing.iter().sum::<f64>() <= miss * rates.len() as f64 {
            return Some(drawn);
        }
    }
    None
}

/// Whole sets of which at least one pair, or sample, changed.
fn alarms<'a>() -> Column<'a, Answers<'a>> {
    data_only()
        .count("sets_hits", "sets", |it: &Answers| it.alarmed().hits())
        .count("sets_of", "sets", |it| it.alarmed().of())
        .share("sets_low95", |it| it.alarmed().wilson95().0)
        .share("sets_high95", |it| it.alarmed().wilson95().1)
        .data_if("needed", "count", |it| {
            it.point?;
            Some(Cell::maybe(it.needed(), Cell::Count))
        })
        .data_if("moved", "sets", |it| {
            it.point?;
            Some(Cell::maybe(it.moved(), Cell::Count))
        })
        .data_if("effective", "count", |it| {
            it.point?;
            Some(Cell::maybe(it.effective(), |number| {
                Cell::number(number, 2)
            }))
        })
        .data_if("noise_rms", "margin", |it| noises(it, |noise| noise.rms))
        .data_if("noise_largest", "margin", |it| {
            noises(it, |noise| noise.largest)
        })
        .data_if("quiet_margin", "margin", |it| {
            Some(Cell::maybe(quiet(&[it.point?]), Cell::Scientific))
        })
}

/// The pairs, or images, that leaked.
fn leaked<'a>() -> Column<'a, Answers<'a>> {
    let count = |of: fn(&Answers) -> Option<Rate>, part: fn(Rate) -> u64| {
        move |it: &Answers| Some(Cell::maybe(of(it), |rate| Cell::Count(part(rate))))
    };
    let end = |part: fn((f64, f64)) -> f64| {
        move |it: &Answers| {
            let interval = it.known().map(Rate::wilson95);
            Some(Cell::maybe(interval.map(part), |end| Cell::number(end, 4)))
        }
    };
    data_only()
        .data_if("leaked_hits", "count", count(|it| it.known(), Rate::hits))
        .data_if("leaked_of", "count", count(|it| it.known(), Rate::of))
        .data_if("leaked_low95", "share", end(|(low, _)| low))
        .data_if("leaked_high95", "share", end(|(_, high)| high))
        .data_if(
            "leaked_sets_hits",
            "sets",
            count(|it| it.known_alarmed(), Rate::hits),
        )
        .data_if(
            "leaked_sets_of",
            "sets",
            count(|it| it.known_alarmed(), Rate::of),
        )
}

/// The largest of some measure of the changes of margins; missing without another execution.
fn noises(answers: &Answers, of: fn(&Noise) -> f64) -> Option<Cell> {
    let runs = &answers.point?.runs;
    let noises = runs.iter().filter_map(|run| run.noise.as_ref());
    Some(Cell::maybe(
        noises.map(of).reduce(f64::max),
        Cell::Scientific,
    ))
}

/// The changes of margins under another execution of the same weights, over all samples of all kinds.
pub fn noise<'a>() -> Vec<Column<'a, Line<'a>>> {
    let size = |size| Cell::text(format!("{size:.1e}"));
    let noises = |line: &Line<'a>| {
        let points = line.points().into_iter();
        let runs = points.flat_map(|point| point.runs.iter().copied());
        runs.filter_map(|run| run.noise).collect::<Vec<_>>()
    };
    vec![
        number("", "images", move |it: &Line<'a>| match noises(it) {
            noises if noises.is_empty() => Cell::Missing,
            noises => Cell::Count(noises.iter().map(|noise| noise.images).sum()),
        }),
        number(
            "change of a margin",
            "root mean square",
            move |it: &Line<'a>| {
                let noises = noises(it);
                let images: u64 = noises.iter().map(|noise| noise.images).sum();
                let squares = noises.iter().map(|it| it.rms * it.rms * it.images as f64);
                let mean = squares.sum::<f64>() / images as f64;
                Cell::maybe((images > 0).then(|| mean.sqrt()), size)
            },
        ),
        number("change of a margin", "largest", move |it: &Line<'a>| {
            let noises = noises(it).into_iter();
            Cell::maybe(noises.map(|noise| noise.largest).reduce(f64::max), size)
        }),
        number("", "quiet at", move |it: &Line<'a>| {
            Cell::maybe(quiet(&it.points()), size)
        }),
    ]
}

/// The margin that keeps one set in a thousand from a false alarm, by the noise of all runs of some points.
fn quiet(points: &[&Point]) -> Option<f64> {
    let runs = || points.iter().flat_map(|point| &point.runs);
    let noisy = || runs().filter(|run| run.noise.is_some());
    let moves: Vec<f32> = noisy().flat_map(|run| run.moves.clone()).collect();
    let images = noisy().map(|run| run.single.of()).max()?;
    quiet_margin(&moves, images, RISK)
}

/// The mean over runs with its interval.
pub fn mean<'a>(group: &str, name: &str) -> Column<'a, Answers<'a>> {
    let mean = |it: &Answers| it.point?.mean(it.measure);
    let end = move |it: &Answers, end: fn((f64, f64)) -> f64| {
        let (_, interval) = mean(it)?;
        Some(Cell::maybe(interval.map(end), |end| Cell::number(end, 4)))
    };
    number(group, name, move |it: &Answers| {
        Cell::maybe(mean(it), |(mean, interval)| {
            Cell::text(estimate(mean, interval))
        })
    })
    .data_if("mean", "share", move |it| {
        Some(Cell::number(mean(it)?.0, 4))
    })
    .data_if("mean_low95", "share", move |it| end(it, |(low, _)| low))
    .data_if("mean_high95", "share", move |it| end(it, |(_, high)| high))
}

/// The number of something at each of some points: for people a range, in data files of the one.
fn extent<'a>(
    group: &str,
    name: &'static str,
    count: fn(&Point) -> usize,
) -> Column<'a, Vec<&'a Point<'a>>> {
    number(group, name, move |points: &Vec<&Point>| {
        Cell::text(range(points.iter().map(|point| count(point) as u64)))
    })
    .data_if(name, "count", move |points| {
        Some(Cell::Count(count(points.first()?) as u64))
    })
}

/// The number of runs.
pub fn runs<'a>() -> Column<'a, Vec<&'a Point<'a>>> {
    extent("number of", "runs", |point| point.runs.len())
}

/// The number of attack seeds.
pub fn seeds<'a>() -> Column<'a, Vec<&'a Point<'a>>> {
    extent("number of", "seeds", |point| point.seeds())
}

/// The number of sample sets.
pub fn sets<'a>() -> Column<'a, Vec<&'a Point<'a>>> {
    extent("number of", "sets", |point| point.sets())
}

/// More about pairs.
fn pairs<'a>() -> Column<'a, Answers<'a>> {
    let of_pairs = |it: &Answers, cell: Cell| match it.measure {
        Measure::Single => Cell::Missing,
        Measure::Pair => cell,
    };
    data_only()
        .data_if("all_pairs", "share", move |it: &Answers| {
            let runs = &it.point?.runs;
            if it.series.are_pairs() {
                return Some(Cell::Missing);
            }
            let all = runs.iter().filter_map(|run| run.all_pairs).sum::<f64>();
            Some(of_pairs(it, Cell::number(all / runs.len() as f64, 4)))
        })
        .data_if("both", "count", move |it| {
            let both = it.point?.runs.iter().map(|run| run.both);
            Some(of_pairs(it, Cell::Count(both.sum())))
        })
        .data_if("balance_runs", "count", |it| {
            Some(Cell::Count(it.point?.runs_that_tell_balance() as u64))
        })
}

/// The answers by the network's own classes.
pub struct ByClasses {
    single: Rate,
    pair: Rate,
    both: Rate,
    tells_balance: bool,
}

/// The answers by the network's own classes, if they were recorded.
pub fn by_classes(point: &Point) -> Option<ByClasses> {
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

/// Rates by the network's classes.
pub fn classes<'a>(group: &str) -> Column<'a, Answers<'a>> {
    let of = |it: &Answers| by_classes(it.point?);
    let cell = |rate: fn(&ByClasses) -> Rate| {
        move |it: &Answers| {
            Cell::maybe(of(it), |by| {
                let mark = if by.tells_balance { MARK } else { "" };
                Cell::marked(percent(rate(&by)), 1, mark)
            })
        }
    };
    let rate = move |it: &Answers| {
        let by = of(it)?;
        Some(match it.measure {
            Measure::Single => by.single,
            Measure::Pair => by.pair,
        })
    };
    number(group, "single", cell(|by| by.single))
        .number(group, "pair", cell(|by| by.pair))
        .number(group, "both", cell(|by| by.both))
        .data_if("classes_hits", "count", move |it| {
            Some(Cell::Count(rate(it)?.hits()))
        })
        .data_if("classes_of", "count", move |it| {
            Some(Cell::Count(rate(it)?.of()))
        })
        .data_if("classes_both", "count", move |it| {
            let by = of(it).filter(|_| it.measure == Measure::Pair)?;
            Some(Cell::Count(by.both.hits()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_until_a_hit_is_nearly_certain() {
        let all = Rate::new(150, 150);
        assert_eq!(drawn_until(&[all], 0.001), Some(1));
        // 2 of 4: the first two draws both miss with a probability of 2/4 * 1/3.
        let half = Rate::new(2, 4);
        assert_eq!(drawn_until(&[half], 0.17), Some(2));
        assert_eq!(drawn_until(&[half], 0.16), Some(3));
        // One run in a thousand may never hit; one in two may not.
        assert_eq!(drawn_until(&[all, Rate::new(0, 150)], 0.001), None);
        assert_eq!(drawn_until(&[], 0.001), None);
    }
}
