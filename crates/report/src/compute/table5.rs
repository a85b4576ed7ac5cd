//! Table V: how long stage 1 takes, in the paper's layout. The paper measured on a graphics card: only the
//! ratios between the generators compare.

use std::collections::BTreeSet;

use brink_store::{Measured, ProbeRecord, Timing};

use super::columns::{Column, Input, data_only, number, words};
use super::names::{rank, title};
use super::numbers::{mean, median};
use super::paper;
use super::probes::ProbeGroup;
use super::subject::{Probe, Subject};
use super::target::width;
use crate::document::Document;
use crate::document::table::{Cell, Source, Table};

pub const SUBJECT: Subject = Subject::Probe(Probe::Timing);

/// The generator that the others are compared with.
const BASE: Kind = ("dbi", "");
/// Iterations that the paper prints the time of.
const ITERATIONS: f64 = 1_000.0;

/// A group of columns: a generator, and what distinguishes it from others of that name.
type Kind<'a> = (&'a str, &'a str);

/// The times of one target for one number of samples.
struct Line<'a> {
    group: &'a ProbeGroup<'a>,
    samples: u64,
    timings: Vec<(&'a ProbeRecord, &'a Timing)>,
}

/// The times of one generator.
struct Spread<'a> {
    line: &'a Line<'a>,
    kind: Kind<'a>,
    /// Whether it is the first of its line.
    first: bool,
    seconds: Vec<f64>,
}

/// One repetition.
struct Turn<'a> {
    line: &'a Line<'a>,
    probe: &'a ProbeRecord,
    timing: &'a Timing,
    nth: u64,
    seconds: f64,
}

/// Table V.
pub fn build(input: &Input) -> Document {
    let groups = ProbeGroup::all(input.records, Probe::Timing, &["samples"]);
    let lines: Vec<_> = groups.iter().flat_map(lines).collect();
    let timings = lines.iter().flat_map(|line| &line.timings);
    let kinds: BTreeSet<_> = timings
        .map(|(_, timing)| {
            let kind = (timing.generator.as_str(), timing.variant.as_str());
            (rank(kind.0), kind)
        })
        .collect();
    let kinds: Vec<Kind> = kinds.into_iter().map(|(_, kind)| kind).collect();
    Document {
        tables: vec![
            seconds(input, &lines, &kinds),
            spread(input, &lines, &kinds),
        ],
        data: input.data("Table V", &data(), &turns(&lines)),
        figures: Vec::new(),
    }
}

fn lines<'a>(group: &'a ProbeGroup<'a>) -> Vec<Line<'a>> {
    let timings = || {
        let probes = group.probes.iter().copied();
        probes.flat_map(|probe| timings(probe).iter().map(move |timing| (probe, timing)))
    };
    let samples: BTreeSet<u64> = timings().map(|(_, timing)| timing.samples).collect();
    let line = |samples| Line {
        group,
        samples,
        timings: timings()
            .filter(|(_, timing)| timing.samples == samples)
            .collect(),
    };
    samples.into_iter().map(line).collect()
}

fn turns<'a>(lines: &'a [Line]) -> Vec<Turn<'a>> {
    let turns = lines.iter().flat_map(|line| {
        line.timings.iter().flat_map(move |&(probe, timing)| {
            let turns = (0..).zip(&timing.seconds);
            turns.map(move |(nth, &seconds)| Turn {
                line,
                probe,
                timing,
                nth,
                seconds,
            })
        })
    });
    turns.collect()
}

fn timings(probe: &ProbeRecord) -> &[Timing] {
    match &probe.result {
        Measured::Timing(timings) => timings,
        _ => &[],
    }
}

/// The title of a generator, or of one of its variants.
fn name(input: &Input, (generator, variant): Kind) -> String {
    title(input.records, generator, variant)
}

/// Whether the paper prints the times of a generator.
fn is_printed((generator, variant): Kind) -> bool {
    variant.is_empty() && ["dbi", "aid", "ours"].contains(&generator)
}

impl Line<'_> {
    /// Seconds per 1,000 iterations of each repetition.
    fn seconds(&self, kind: Kind) -> Vec<f64> {
        let timings = self.timings.iter().map(|(_, timing)| timing);
        let timings =
            timings.filter(|timing| (timing.generator.as_str(), timing.variant.as_str()) == kind);
        timings
            .flat_map(|timing| {
                let unit = ITERATIONS / timing.iterations as f64;
                timing.seconds.iter().map(move |seconds| seconds * unit)
            })
            .collect()
    }

    /// The times over those of the base, repetition by repetition: the generators took turns.
    fn ratios(&self, kind: Kind) -> Vec<f64> {
        let times = self.seconds(kind).into_iter().zip(self.seconds(BASE));
        times.map(|(time, base)| time / base).collect()
    }

    /// The seconds that the paper prints for this network and number of samples.
    fn printed(&self, (generator, variant): Kind) -> Option<&'static str> {
        if width(self.group.record()).is_some() || !variant.is_empty() {
            return None;
        }
        let lines = paper::lines(include_str!("../../../../experiments/table5/paper.csv"));
        let samples = self.samples.to_string();
        let line = lines.into_iter().find(|line| {
            line["model"] == self.group.record().model && line["samples"] == samples
        })?;
        line.get(format!("{generator}_seconds").as_str()).copied()
    }

    fn printed_ratio(&self, kind: Kind) -> Option<f64> {
        let seconds = |kind| self.printed(kind)?.parse::<f64>().ok();
        Some(seconds(kind)? / seconds(BASE)?)
    }

    /// The median of some values.
    fn median(&self, values: &[f64], decimals: usize, what: &str, unit: &str) -> Cell {
        let median = median(values.iter().copied());
        let cell = Cell::maybe(median, |median| Cell::number(median, decimals));
        cell.resting_on(self.source(what, values, unit))
    }

    fn source(&self, what: &str, values: &[f64], unit: &str) -> Source {
        let mut steps: Vec<_> = self.timings.iter().map(|(probe, _)| probe.id).collect();
        steps.dedup();
        steps.push(self.group.record().id);
        let list: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
        let title = format!("{}, {} samples: {what}", self.group.title(), self.samples);
        let source =
            Source::new(title, steps).fact(format!("repetitions, {unit}"), list.join(", "));
        match mean(values) {
            Some((mean, Some((low, high)))) => source.fact(
                "mean, 95 % bootstrap",
                format!("{mean:.4} [{low:.4}, {high:.4}]"),
            ),
            _ => source,
        }
    }
}

fn seconds(input: &Input, lines: &[Line], kinds: &[Kind]) -> Table {
    let mut columns = vec![
        words("data set", |line: &Line| line.group.dataset()),
        words("network", |line: &Line| line.group.network()),
        number("", "parameters (M)", |line: &Line| {
            Cell::number(line.group.target.millions(), 2)
        }),
        number("", "samples", |line: &Line| Cell::Count(line.samples)),
    ];
    columns.extend(kinds.iter().map(|&kind| seconds_of(input, kind)));
    let others = kinds.iter().filter(|kind| **kind != BASE);
    columns.extend(others.map(|&kind| ratio_of(input, kind)));
    let mut notes = input.notes(
        lines.is_empty(),
        "Medians over repetitions, the generators taking turns; a ratio is that of times of the same turn. The paper's \
         seconds are of a graphics card (RTX 3090) and of its own code: compare the ratios, not the seconds.",
    );
    let machines = lines.iter().flat_map(|line| &line.group.probes);
    let machines: BTreeSet<_> = machines
        .map(|probe| {
            let how = &probe.provenance;
            let device = device(&how.device);
            format!("{device}: {}, {} threads", how.cpu, how.threads)
        })
        .collect();
    let machines = machines.into_iter();
    notes.extend(machines.map(|machine| format!("Measured on {machine}.")));
    let title = format!(
        "Table V: seconds per 1,000 iterations of stage 1{}",
        on(lines)
    );
    let begins = |nth: usize| nth > 0 && !std::ptr::eq(lines[nth - 1].group, lines[nth].group);
    input.table(title, 4, &columns, lines, begins, notes)
}

/// The seconds of a generator, and the paper's if it prints them.
fn seconds_of<'a>(input: &Input, kind: Kind<'a>) -> Column<'a, Line<'a>> {
    let group = name(input, kind);
    let what = format!("seconds per 1,000 iterations of {group}");
    number(&group, "s", move |line: &Line| {
        line.median(&line.seconds(kind), 2, &what, "s")
    })
    .paper_if(is_printed(kind), &group, move |line| {
        Cell::maybe(line.printed(kind), Cell::text)
    })
}

/// The ratio of a generator to the base, and the paper's if it prints it.
fn ratio_of<'a>(input: &Input, kind: Kind<'a>) -> Column<'a, Line<'a>> {
    let (own, base) = (name(input, kind), name(input, BASE));
    let group = format!("{own}/{base}");
    let what = format!("{own} times {base}");
    number(&group, "ratio", move |line: &Line| {
        line.median(&line.ratios(kind), 3, &what, "ratios")
    })
    .paper_if(is_printed(kind), &group, move |line| {
        Cell::maybe(line.printed_ratio(kind), |ratio| Cell::number(ratio, 3))
    })
}

/// `, on a CPU`: the device, if all was measured on one kind.
fn on(lines: &[Line]) -> String {
    let probes = lines.iter().flat_map(|line| &line.group.probes);
    let devices: BTreeSet<_> = probes
        .map(|probe| device(&probe.provenance.device))
        .collect();
    match devices.into_iter().collect::<Vec<_>>()[..] {
        [device] => format!(", on {device}"),
        _ => String::new(),
    }
}

fn device(name: &str) -> &str {
    match name {
        "cpu" => "a CPU",
        name => name,
    }
}

fn spread(input: &Input, lines: &[Line], kinds: &[Kind]) -> Table {
    let rows = lines.iter().flat_map(|line| {
        let kinds = kinds.iter().map(|&kind| (kind, line.seconds(kind)));
        let measured = kinds.filter(|(_, seconds)| !seconds.is_empty());
        measured
            .enumerate()
            .map(move |(nth, (kind, seconds))| Spread {
                line,
                kind,
                first: nth == 0,
                seconds,
            })
    });
    let rows: Vec<_> = rows.collect();
    let notes = vec!["95 %: percentile bootstrap of the mean over repetitions.".to_owned()];
    let columns = spread_columns(input);
    let title = "Table V, spread over repetitions";
    input.table(title, 4, &columns, &rows, |nth| rows[nth].first, notes)
}

impl Spread<'_> {
    fn first(&self, cell: Cell) -> Cell {
        if self.first { cell } else { Cell::Blank }
    }

    /// The mean ratio to the base and its interval; the base has none.
    fn ratio(&self) -> Option<(f64, Option<(f64, f64)>)> {
        mean(&self.line.ratios(self.kind)).filter(|_| self.kind != BASE)
    }
}

fn spread_columns<'a>(input: &'a Input) -> Vec<Column<'a, Spread<'a>>> {
    let interval = |mean: Option<(f64, Option<(f64, f64)>)>, decimals: usize| {
        Cell::maybe(mean.and_then(|(_, interval)| interval), |(low, high)| {
            Cell::text(format!("{low:.decimals$} to {high:.decimals$}"))
        })
    };
    let average = |mean: Option<(f64, _)>, decimals| {
        Cell::maybe(mean, |(mean, _): (f64, Option<(f64, f64)>)| {
            Cell::number(mean, decimals)
        })
    };
    let (unit, times) = ("s per 1,000", "times DBI");
    vec![
        words("data set", |row: &Spread| {
            row.first(row.line.group.dataset())
        }),
        words("network", |row: &Spread| {
            row.first(row.line.group.network())
        }),
        number("", "samples", |row: &Spread| {
            row.first(Cell::Count(row.line.samples))
        }),
        words("generator", |row: &Spread| {
            Cell::text(name(input, row.kind))
        }),
        number("", "repetitions", |row: &Spread| {
            Cell::Count(row.seconds.len() as u64)
        }),
        number(unit, "fastest", |row: &Spread| {
            let fastest = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
            Cell::number(fastest, 2)
        }),
        number(unit, "mean", move |row: &Spread| {
            average(mean(&row.seconds), 2)
        })
        .number(unit, "95 %", move |row| interval(mean(&row.seconds), 2)),
        number(unit, "slowest", |row: &Spread| {
            Cell::number(row.seconds.iter().copied().fold(0.0, f64::max), 2)
        }),
        number(times, "mean", move |row: &Spread| average(row.ratio(), 3)).number(
            times,
            "95 %",
            move |row| interval(row.ratio(), 3),
        ),
    ]
}

fn data<'a>() -> Vec<Column<'a, Turn<'a>>> {
    let mut columns = ProbeGroup::columns(|it: &Turn<'a>| it.line.group);
    columns.push(
        data_only()
            .count("parameters", "count", |it: &Turn| {
                it.line.group.record().parameters
            })
            .data("probe", "", |it| Cell::text(it.probe.id.to_string()))
            .text("device", |it| &it.probe.provenance.device)
            .text("cpu", |it| &it.probe.provenance.cpu)
            .count("threads", "count", |it| it.probe.provenance.threads as u64)
            .count("samples", "count", |it| it.timing.samples)
            .text("generator", |it| &it.timing.generator)
            .text("generator_variant", |it| &it.timing.variant)
            .count("iterations", "count", |it| it.timing.iterations)
            .count("repetition", "", |it| it.nth)
            .data("seconds", "s", |it| Cell::number(it.seconds, 4))
            .data("paper_seconds_per_1000", "s", |it| {
                let kind = (it.timing.generator.as_str(), it.timing.variant.as_str());
                let printed = it.line.printed(kind).and_then(|text| text.parse().ok());
                Cell::maybe(printed, |seconds| Cell::number(seconds, 2))
            }),
    );
    columns
}
