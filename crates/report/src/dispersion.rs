//! Section III-A: how far the outputs of a network still differ after they were brought together, by the number of outputs.
//! It is the paper's reason for a keyed head of two outputs.

use std::collections::BTreeMap;

use spec::Scale;
use store::{Dispersion, Measured};
use verify::LabelSpace;

use crate::long::{Fields, align, done, skipped};
use crate::numbers::{mean, median};
use crate::paper;
use crate::probes::Asked;
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// Outputs brought together in the same number of rounds.
struct Line<'a> {
    asked: &'a Asked<'a>,
    space: LabelSpace,
    outputs: u64,
    iterations: u64,
    measured: Vec<&'a Dispersion>,
}

/// The dispersion of outputs.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let all = Asked::all(records, &[], |probe| {
        matches!(probe.result, Measured::Dispersion(_))
    });
    let mut lines: Vec<_> = all.iter().flat_map(lines).collect();
    lines.sort_by_key(|line| {
        (
            line.space == LabelSpace::Head,
            line.outputs,
            line.asked.target.classes,
        )
    });
    Document {
        tables: vec![table(&lines, scale, not_run)],
        data: data(&lines, scale, not_run),
        figures: Vec::new(),
    }
}

fn lines<'a>(asked: &'a Asked) -> Vec<Line<'a>> {
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let measured = asked.probes.iter().flat_map(|probe| match &probe.result {
        Measured::Dispersion(measured) => measured.as_slice(),
        _ => &[],
    });
    for one in measured {
        let head = one.label_space == LabelSpace::Head;
        let key = (head, one.outputs, one.iterations);
        lines.entry(key).or_default().push(one);
    }
    let line = |((head, outputs, iterations), measured)| Line {
        asked,
        space: if head {
            LabelSpace::Head
        } else {
            LabelSpace::Classes
        },
        outputs,
        iterations,
        measured,
    };
    lines.into_iter().map(line).collect()
}

impl Line<'_> {
    /// |deviation / mean| of each sample's outputs.
    fn variations(&self) -> Vec<f64> {
        let samples = self
            .measured
            .iter()
            .flat_map(|one| one.deviations.iter().zip(&one.means));
        let variations = samples.map(|(deviation, mean)| (deviation / mean).abs());
        variations
            .filter(|variation| variation.is_finite())
            .collect()
    }

    /// What the paper prints for so many outputs of a network.
    fn printed(&self) -> Option<&'static str> {
        let lines = paper::lines(include_str!("../../../experiments/dispersion/paper.csv"));
        let line = lines
            .into_iter()
            .find(|line| line["classes"] == self.outputs.to_string())?;
        (self.space == LabelSpace::Classes).then(|| line["abs_coefficient_of_variation"])
    }

    fn whose(&self) -> &'static str {
        match self.space {
            LabelSpace::Classes => "the network's",
            LabelSpace::Head => "the keyed head's",
        }
    }
}

fn table(lines: &[Line], scale: Scale, not_run: &[NotRun]) -> Table {
    let columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::left("outputs"),
        Column::right("", "number"),
        Column::right("", "rounds"),
        Column::right("", "samples"),
        Column::right("|deviation / mean|", "median"),
        Column::right("|deviation / mean|", "mean"),
        Column::right("|deviation / mean|", "95 %"),
        Column::paper("|deviation / mean|"),
    ];
    let row = |line: &Line| {
        let variations = line.variations();
        let (dataset, network) = line.asked.names();
        let source = || {
            let title = format!(
                "{}: {} {} outputs",
                line.asked.title(),
                line.whose(),
                line.outputs
            );
            let steps = line.asked.probes.iter().map(|probe| probe.id);
            Source::new(title, steps.chain([line.asked.target.id]))
                .fact("samples", variations.len().to_string())
                .fact("rounds", line.iterations.to_string())
        };
        let mean = mean(&variations);
        let interval = mean.and_then(|(_, interval)| interval);
        let number = |value: f64| Cell::text(significant(value)).resting_on(source());
        Row {
            begins: false,
            cells: vec![
                Cell::text(dataset),
                Cell::text(network),
                Cell::text(line.whose()),
                Cell::Count(line.outputs),
                Cell::Count(line.iterations),
                Cell::Count(variations.len() as u64),
                Cell::maybe(median(variations.iter().copied()), number),
                Cell::maybe(mean, |(mean, _)| number(mean)),
                Cell::maybe(interval, |(low, high)| {
                    Cell::text(format!("{} to {}", significant(low), significant(high)))
                }),
                Cell::maybe(line.printed(), Cell::text),
            ],
        }
    };
    let mut rows: Vec<_> = lines.iter().map(row).collect();
    let heads = lines.iter().position(|line| line.space == LabelSpace::Head);
    if let Some(row) = heads.and_then(|nth| rows.get_mut(nth)) {
        row.begins = true;
    }
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    if lines.is_empty() {
        notes.push("Nothing has been computed yet.".to_owned());
    } else {
        notes.push(
            "Of each sample the standard deviation of its outputs over the absolute value of their mean, after so many rounds \
             of bringing them together; then the median and the mean over samples, with the 95 % bootstrap interval of the \
             mean. Where a sample's outputs have a mean near 0 its ratio is huge: the median is the safer number."
                .to_owned(),
        );
        notes.push(
            "paper: printed for so many classes at a step of 1e-3 and 1,000 rounds; it does not say over how many samples."
                .to_owned(),
        );
    }
    Table {
        title: format!(
            "Section III-A: dispersion of outputs after the approach{}",
            scale.title_suffix()
        ),
        columns,
        heads: 3,
        stacked: false,
        rows,
        notes,
    }
}

/// Three digits that count, or as many as stand before the point.
fn significant(value: f64) -> String {
    if value.abs() < 1e-2 {
        return crate::table::scientific(value);
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 3.0);
    format!("{value:.0$}", decimals as usize)
}

fn data(lines: &[Line], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows: Vec<Fields> = Vec::new();
    for line in lines {
        let target = line.asked.target;
        let samples = line
            .measured
            .iter()
            .flat_map(|one| one.means.iter().zip(&one.deviations));
        for (sample, (mean, deviation)) in (0..).zip(samples) {
            let mut row = done(scale);
            row.extend(line.asked.fields());
            row.extend([
                ("classes", Cell::Count(target.classes as u64)),
                ("head", Cell::Flag(line.space == LabelSpace::Head)),
                ("outputs", Cell::Count(line.outputs)),
                ("rounds", Cell::Count(line.iterations)),
                ("sample", Cell::Count(sample)),
                ("mean", Cell::Scientific(*mean)),
                ("deviation", Cell::Scientific(*deviation)),
                (
                    "paper",
                    Cell::maybe(line.printed().and_then(|text| text.parse().ok()), |paper| {
                        Cell::number(paper, 2)
                    }),
                ),
            ]);
            rows.push(row);
        }
    }
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(format!("Section III-A, data{}", scale.title_suffix()), rows)
}
