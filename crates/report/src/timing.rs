//! Table V: how long stage 1 takes, in the paper's layout. The paper's seconds are a graphics card's; what can be compared
//! is the ratios between the generators.

use std::collections::BTreeSet;

use spec::{Id, Scale};
use store::{Measured, ProbeRecord, Timing};

use crate::long::{Fields, align, done, skipped};
use crate::names::{rank, title};
use crate::numbers::{mean, median};
use crate::paper;
use crate::probes::Asked;
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// What the others are compared with.
const BASE: &str = "dbi";
/// Iterations that the paper prints the time of.
const ITERATIONS: f64 = 1_000.0;

/// The times of one target for one number of samples.
struct Line<'a> {
    asked: &'a Asked<'a>,
    samples: u64,
    timings: Vec<&'a Timing>,
}

/// Table V.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let all = Asked::all(records, &["samples"], |probe| {
        matches!(probe.result, Measured::Timing(_))
    });
    let lines: Vec<_> = all.iter().flat_map(lines).collect();
    let generators: BTreeSet<_> = lines
        .iter()
        .flat_map(|line| &line.timings)
        .map(|timing| {
            (
                rank(&timing.generator),
                timing.generator.as_str(),
                timing.variant.as_str(),
            )
        })
        .collect();
    let generators: Vec<_> = generators
        .into_iter()
        .map(|(_, generator, variant)| (generator, variant))
        .collect();
    Document {
        tables: vec![
            seconds(&lines, &generators, scale, not_run),
            spread(&lines, &generators, scale),
        ],
        data: data(&lines, scale, not_run),
        figures: Vec::new(),
    }
}

fn lines<'a>(asked: &'a Asked) -> Vec<Line<'a>> {
    let timings = || asked.probes.iter().flat_map(|probe| timings(probe));
    let samples: BTreeSet<u64> = timings().map(|timing| timing.samples).collect();
    let line = |samples| Line {
        asked,
        samples,
        timings: timings()
            .filter(|timing| timing.samples == samples)
            .collect(),
    };
    samples.into_iter().map(line).collect()
}

fn timings(probe: &ProbeRecord) -> &[Timing] {
    match &probe.result {
        Measured::Timing(timings) => timings,
        _ => &[],
    }
}

impl Line<'_> {
    /// Seconds per 1,000 iterations of each repetition.
    fn seconds(&self, generator: &str, variant: &str) -> Vec<f64> {
        let timings = self.timings.iter();
        let timings =
            timings.filter(|timing| timing.generator == generator && timing.variant == variant);
        timings
            .flat_map(|timing| {
                let unit = ITERATIONS / timing.iterations as f64;
                timing.seconds.iter().map(move |seconds| seconds * unit)
            })
            .collect()
    }

    /// How many times as long as the base it takes, repetition by repetition: the generators took turns.
    fn ratios(&self, generator: &str, variant: &str) -> Vec<f64> {
        let base = self.seconds(BASE, "");
        let times = self.seconds(generator, variant).into_iter();
        times.zip(base).map(|(time, base)| time / base).collect()
    }

    /// The seconds that the paper prints for this network and number of samples.
    fn printed(&self, generator: &str, variant: &str) -> Option<&'static str> {
        if !self.asked.target.spec["width"].is_null() {
            return None;
        }
        let lines = paper::lines(include_str!("../../../experiments/table5/paper.csv"));
        let line = lines.into_iter().find(|line| {
            line["model"] == self.asked.target.model && line["samples"] == self.samples.to_string()
        })?;
        let seconds = line.get(format!("{generator}_seconds").as_str()).copied();
        seconds.filter(|_| variant.is_empty())
    }

    fn printed_ratio(&self, generator: &str, variant: &str) -> Option<f64> {
        let seconds = |generator, variant| self.printed(generator, variant)?.parse::<f64>().ok();
        Some(seconds(generator, variant)? / seconds(BASE, "")?)
    }

    fn names(&self) -> Vec<Cell> {
        let (dataset, network) = self.asked.names();
        vec![
            Cell::text(dataset),
            Cell::text(network),
            Cell::number(self.asked.target.parameters as f64 / 1e6, 2),
            Cell::Count(self.samples),
        ]
    }

    fn source(&self, what: &str, values: &[f64], unit: &str) -> Source {
        let probes = self.asked.probes.iter().filter(|probe| {
            let mut timings = timings(probe).iter();
            timings.any(|timing| timing.samples == self.samples)
        });
        let steps: Vec<Id> = probes.map(|probe| probe.id).collect();
        let list: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
        let title = format!("{}, {} samples: {what}", self.asked.title(), self.samples);
        let source = Source::new(title, steps.into_iter().chain([self.asked.target.id]))
            .fact(format!("repetitions, {unit}"), list.join(", "));
        match mean(values) {
            Some((mean, Some((low, high)))) => source.fact(
                "mean, 95 % bootstrap",
                format!("{mean:.4} [{low:.4}, {high:.4}]"),
            ),
            _ => source,
        }
    }
}

fn seconds(lines: &[Line], generators: &[(&str, &str)], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::right("", "parameters (M)"),
        Column::right("", "samples"),
    ];
    let printed = |generator: &str, variant: &str| {
        variant.is_empty() && ["dbi", "aid", "ours"].contains(&generator)
    };
    let others: Vec<_> = generators
        .iter()
        .filter(|(generator, variant)| (*generator, *variant) != (BASE, ""))
        .collect();
    for (generator, variant) in generators {
        let group = title(generator, variant);
        columns.push(Column::right(&group, "s"));
        columns.extend(printed(generator, variant).then(|| Column::paper(group)));
    }
    for (generator, variant) in &others {
        let group = format!("{}/{}", title(generator, variant), title(BASE, ""));
        columns.push(Column::right(&group, "ratio"));
        columns.extend(printed(generator, variant).then(|| Column::paper(group)));
    }
    let mut rows = Vec::new();
    for (nth, line) in lines.iter().enumerate() {
        let mut cells = line.names();
        for (generator, variant) in generators {
            let seconds = line.seconds(generator, variant);
            let what = format!(
                "seconds per 1,000 iterations of {}",
                title(generator, variant)
            );
            let cell = Cell::maybe(median(seconds.iter().copied()), |seconds| {
                Cell::number(seconds, 2)
            });
            cells.push(cell.resting_on(line.source(&what, &seconds, "s")));
            if printed(generator, variant) {
                cells.push(Cell::maybe(line.printed(generator, variant), Cell::text));
            }
        }
        for (generator, variant) in &others {
            let ratios = line.ratios(generator, variant);
            let what = format!("{} times {}", title(generator, variant), title(BASE, ""));
            let cell = Cell::maybe(median(ratios.iter().copied()), |ratio| {
                Cell::number(ratio, 3)
            });
            cells.push(cell.resting_on(line.source(&what, &ratios, "ratios")));
            if printed(generator, variant) {
                let ratio = line.printed_ratio(generator, variant);
                cells.push(Cell::maybe(ratio, |ratio| Cell::number(ratio, 3)));
            }
        }
        let begins = nth > 0 && !std::ptr::eq(lines[nth - 1].asked, line.asked);
        rows.push(Row { begins, cells });
    }
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    if lines.is_empty() {
        notes.push("Nothing has been computed yet.".to_owned());
    } else {
        notes.push(
            "Medians over repetitions, the generators taking turns; a ratio is that of times of the same turn. The paper's \
             seconds are of a graphics card (RTX 3090) and of its own code: compare the ratios, not the seconds."
                .to_owned(),
        );
    }
    let machines = lines.iter().flat_map(|line| &line.asked.probes);
    let machines: BTreeSet<_> = machines
        .map(|probe| {
            let how = &probe.provenance;
            format!(
                "{}: {}, {} threads",
                device(&how.device),
                how.cpu,
                how.threads
            )
        })
        .collect();
    notes.extend(
        machines
            .into_iter()
            .map(|machine| format!("Measured on {machine}.")),
    );
    Table {
        title: format!(
            "Table V: seconds per 1,000 iterations of stage 1{}{}",
            on(lines),
            scale.title_suffix()
        ),
        columns,
        heads: 4,
        stacked: false,
        rows,
        notes,
    }
}

/// `, on a CPU`: on what all of it was measured, if on one kind of device.
fn on(lines: &[Line]) -> String {
    let probes = lines.iter().flat_map(|line| &line.asked.probes);
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

fn spread(lines: &[Line], generators: &[(&str, &str)], scale: Scale) -> Table {
    let mut columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::right("", "samples"),
        Column::left("generator"),
        Column::right("", "repetitions"),
    ];
    columns.extend(
        ["fastest", "mean", "95 %", "slowest"].map(|name| Column::right("s per 1,000", name)),
    );
    columns.extend(["mean", "95 %"].map(|name| Column::right("times DBI", name)));
    let interval = |interval: Option<(f64, f64)>, decimals: usize| {
        Cell::maybe(interval, |(low, high)| {
            Cell::text(format!("{low:.decimals$} to {high:.decimals$}"))
        })
    };
    let mut rows = Vec::new();
    for line in lines {
        let (dataset, network) = line.asked.names();
        let measured = generators.iter().filter_map(|(generator, variant)| {
            let seconds = line.seconds(generator, variant);
            let (average, between) = mean(&seconds)?;
            let fastest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let slowest = seconds.iter().copied().fold(0.0, f64::max);
            let mut cells = vec![
                Cell::text(title(generator, variant)),
                Cell::Count(seconds.len() as u64),
                Cell::number(fastest, 2),
                Cell::number(average, 2),
                interval(between, 2),
                Cell::number(slowest, 2),
            ];
            match mean(&line.ratios(generator, variant)) {
                Some((ratio, between)) if (*generator, *variant) != (BASE, "") => {
                    cells.extend([Cell::number(ratio, 3), interval(between, 3)]);
                }
                _ => cells.extend([Cell::Missing, Cell::Missing]),
            }
            Some(cells)
        });
        for (nth, rest) in measured.enumerate() {
            let names = [
                Cell::text(&dataset),
                Cell::text(&network),
                Cell::Count(line.samples),
            ];
            let mut cells = if nth == 0 {
                names.to_vec()
            } else {
                vec![Cell::Blank; 3]
            };
            cells.extend(rest);
            rows.push(Row {
                begins: nth == 0,
                cells,
            });
        }
    }
    Table {
        title: format!("Table V, spread over repetitions{}", scale.title_suffix()),
        columns,
        heads: 4,
        stacked: false,
        rows,
        notes: vec!["95 %: percentile bootstrap of the mean over repetitions.".to_owned()],
    }
}

fn data(lines: &[Line], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows: Vec<Fields> = Vec::new();
    for line in lines {
        let target = line.asked.target;
        for probe in &line.asked.probes {
            let Measured::Timing(timings) = &probe.result else {
                continue;
            };
            for timing in timings
                .iter()
                .filter(|timing| timing.samples == line.samples)
            {
                for (turn, seconds) in (0..).zip(&timing.seconds) {
                    let mut row = done(scale);
                    row.extend(line.asked.fields());
                    row.extend([
                        ("parameters", Cell::Count(target.parameters)),
                        ("probe", Cell::text(probe.id.to_string())),
                        ("device", Cell::text(&probe.provenance.device)),
                        ("cpu", Cell::text(&probe.provenance.cpu)),
                        ("threads", Cell::Count(probe.provenance.threads as u64)),
                        ("samples", Cell::Count(timing.samples)),
                        ("generator", Cell::text(&timing.generator)),
                        ("generator_variant", Cell::text(&timing.variant)),
                        ("iterations", Cell::Count(timing.iterations)),
                        ("repetition", Cell::Count(turn)),
                        ("seconds", Cell::number(*seconds, 4)),
                        (
                            "paper_seconds_per_1000",
                            Cell::maybe(
                                line.printed(&timing.generator, &timing.variant)
                                    .and_then(|text| text.parse().ok()),
                                |seconds| Cell::number(seconds, 2),
                            ),
                        ),
                    ]);
                    rows.push(row);
                }
            }
        }
    }
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(format!("Table V, data{}", scale.title_suffix()), rows)
}
