//! Section III-A: how far the outputs of a network still differ after they were brought together, by the number of outputs.
//! It is the paper's reason for a keyed head of two outputs.

use std::collections::BTreeMap;

use brink_store::{Dispersion, Measured};
use brink_verify::LabelSpace;

use super::columns::{Column, Input, data_only, number, words};
use super::numbers::{mean, median};
use super::paper;
use super::probes::ProbeGroup;
use super::subject::{Probe, Subject};
use crate::document::Document;
use crate::document::table::{Cell, scientific};

pub const SUBJECT: Subject = Subject::Probe(Probe::Dispersion);

/// Outputs that were brought together in the same number of rounds.
struct Line<'a> {
    group: &'a ProbeGroup<'a>,
    space: LabelSpace,
    outputs: u64,
    iterations: u64,
    /// Mean and standard deviation of each sample's outputs.
    samples: Vec<(f64, f64)>,
}

/// One sample.
struct Sample<'a> {
    line: &'a Line<'a>,
    nth: u64,
    mean: f64,
    deviation: f64,
}

/// The dispersion of outputs.
pub fn build(input: &Input) -> Document {
    let groups = ProbeGroup::all(input.records, Probe::Dispersion, &[]);
    let mut lines: Vec<_> = groups.iter().flat_map(lines).collect();
    lines.sort_by_key(|line| {
        let head = line.space == LabelSpace::Head;
        (head, line.outputs, line.group.record().classes)
    });
    let first_head = lines.iter().position(|line| line.space == LabelSpace::Head);
    let samples = lines.iter().flat_map(|line| {
        let samples = (0..).zip(&line.samples);
        samples.map(move |(nth, &(mean, deviation))| Sample {
            line,
            nth,
            mean,
            deviation,
        })
    });
    let mut notes = input.notes(
        lines.is_empty(),
        "Of each sample the standard deviation of its outputs over the absolute value of their mean, after so many rounds \
         of bringing them together; then the median and the mean over samples, with the 95 % bootstrap interval of the \
         mean. Where a sample's outputs have a mean near 0 its ratio is huge: the median is the safer number.",
    );
    notes.extend((!lines.is_empty()).then(|| {
        "paper: printed for so many classes at a step of 1e-3 and 1,000 rounds; it does not say over how many samples."
            .to_owned()
    }));
    Document {
        tables: vec![input.table(
            "Section III-A: dispersion of outputs after the approach",
            3,
            &columns(),
            &lines,
            |nth| Some(nth) == first_head,
            notes,
        )],
        data: input.data("Section III-A", &data(), &samples.collect::<Vec<_>>()),
        figures: Vec::new(),
    }
}

fn lines<'a>(group: &'a ProbeGroup<'a>) -> Vec<Line<'a>> {
    let mut lines = BTreeMap::new();
    let measured = group.probes.iter().flat_map(|probe| match &probe.result {
        Measured::Dispersion(measured) => measured.as_slice(),
        _ => &[],
    });
    for one in measured {
        let Dispersion {
            label_space,
            outputs,
            iterations,
            means,
            deviations,
        } = one;
        let key = (*label_space == LabelSpace::Head, *outputs, *iterations);
        let samples = means.iter().copied().zip(deviations.iter().copied());
        let (_, known) = lines.entry(key).or_insert((*label_space, Vec::new()));
        known.extend(samples);
    }
    let lines = lines.into_iter();
    lines
        .map(|((_, outputs, iterations), (space, samples))| Line {
            group,
            space,
            outputs,
            iterations,
            samples,
        })
        .collect()
}

impl Line<'_> {
    /// |deviation / mean| of each sample's outputs, without those that are not finite.
    fn variations(&self) -> Vec<f64> {
        let variations = self.samples.iter();
        let variations = variations.map(|(mean, deviation)| (deviation / mean).abs());
        variations.filter(|value| value.is_finite()).collect()
    }

    /// What the paper prints for so many outputs of a network.
    fn printed(&self) -> Option<&'static str> {
        let lines = paper::lines(include_str!("../../../../experiments/dispersion/paper.csv"));
        let outputs = self.outputs.to_string();
        let line = lines.into_iter().find(|line| line["classes"] == outputs)?;
        (self.space == LabelSpace::Classes).then(|| line["abs_coefficient_of_variation"])
    }

    fn whose(&self) -> &'static str {
        match self.space {
            LabelSpace::Classes => "the network's",
            LabelSpace::Head => "the keyed head's",
        }
    }

    /// A number of the table.
    fn number(&self, value: Option<f64>) -> Cell {
        Cell::maybe(value, |value| {
            let source = self
                .group
                .source(&format!("{} {} outputs", self.whose(), self.outputs))
                .fact("samples", self.variations().len().to_string())
                .fact("rounds", self.iterations.to_string());
            Cell::text(significant(value)).resting_on(source)
        })
    }
}

const VARIATION: &str = "|deviation / mean|";

fn columns<'a>() -> Vec<Column<'a, Line<'a>>> {
    vec![
        words("data set", |line: &Line| line.group.dataset()),
        words("network", |line: &Line| line.group.network()),
        words("outputs", |line: &Line| Cell::text(line.whose())),
        number("", "number", |line: &Line| Cell::Count(line.outputs)),
        number("", "rounds", |line: &Line| Cell::Count(line.iterations)),
        number("", "samples", |line: &Line| {
            Cell::Count(line.variations().len() as u64)
        }),
        number(VARIATION, "median", |line: &Line| {
            line.number(median(line.variations().into_iter()))
        }),
        number(VARIATION, "mean", |line: &Line| {
            line.number(mean(&line.variations()).map(|(mean, _)| mean))
        })
        .number(VARIATION, "95 %", |line| {
            let interval = mean(&line.variations()).and_then(|(_, interval)| interval);
            Cell::maybe(interval, |(low, high)| {
                Cell::text(format!("{} to {}", significant(low), significant(high)))
            })
        })
        .paper(VARIATION, |line| Cell::maybe(line.printed(), Cell::text)),
    ]
}

/// Three significant digits, or as many as stand before the point.
fn significant(value: f64) -> String {
    if value.abs() < 1e-2 {
        return scientific(value);
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 3.0);
    format!("{value:.0$}", decimals as usize)
}

fn data<'a>() -> Vec<Column<'a, Sample<'a>>> {
    let mut columns = ProbeGroup::columns(|it: &Sample<'a>| it.line.group);
    columns.push(
        data_only()
            .count("classes", "count", |it: &Sample| {
                it.line.group.record().classes as u64
            })
            .data("head", "", |it| {
                Cell::Flag(it.line.space == LabelSpace::Head)
            })
            .count("outputs", "count", |it| it.line.outputs)
            .count("rounds", "count", |it| it.line.iterations)
            .count("sample", "", |it| it.nth)
            .real("mean", "output", |it| it.mean)
            .real("deviation", "output", |it| it.deviation)
            .data("paper", "1", |it| {
                let printed = it.line.printed().and_then(|text| text.parse().ok());
                Cell::maybe(printed, |paper| Cell::number(paper, 2))
            }),
    );
    columns
}
