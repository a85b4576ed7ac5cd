//! The headline of a grid: how well each kind of samples detects each family of attacks, at how many false alarms, and at
//! which cost.

mod about;
mod printed;
mod sentences;
mod settings;

use std::cmp::Ordering;

use brink_config::Scale;
use brink_verify::Rate;

use super::aggregate::{Block, Point, Series, is_other_engine};
use super::columns::{Column, Input, data_only, number};
use super::detection::{Findings, Kind};
use super::names::main_measure;
use super::numbers::{median, percent};
use super::study::Study;
use super::subject::EXECUTION;
use super::target::Target;
use super::verdicts;
use crate::document::Document;
use crate::document::figure::{Bar, Bars, BarsPanel as Panel, Figure, Strip};
use crate::document::table::{Cell, Source, Table};
use crate::records::Records;
use printed::Papers;

const STUDY: Study = Study {
    name: "Detection by family of attacks",
    ..verdicts::STUDY
};

/// The headline of some records.
pub struct Headline<'a>(&'a Records);

/// Detection by one family: means over the settings of its attacks, in [0, 1].
#[derive(Clone, Copy)]
struct Detection {
    rate: f64,
    low: f64,
    high: f64,
    settings: usize,
}

impl<'a> Headline<'a> {
    /// The headline of all records.
    pub fn of(records: &'a Records) -> Self {
        Self(records)
    }

    /// The table and its figure: samples ranked by detection, by target. `None` if nothing was attacked.
    pub fn document(&self, scale: Scale) -> Option<Document> {
        let input = self.input(scale);
        let findings = self.ranked(&input);
        if findings.blocks.is_empty() {
            return None;
        }
        let families = families(&findings.blocks);
        let papers = Papers::read();
        let mut columns = self.columns(&families);
        let compared = papers.compare_any(&findings.blocks);
        if compared {
            columns.push(papers.column());
        }
        let mut notes = vec![
            "Pairs that change, in %, of samples without pairs single images: the mean over all settings of a family that \
             change a weight, and the mean 95 % interval. Samples are ranked by the mean over families, best first."
                .to_owned(),
            "asked again: samples of the untouched model that change when it is asked in another order, batch or number of \
             threads; worst engine: pairs that change in the engine where most do."
                .to_owned(),
        ];
        if compared {
            notes.push(printed::NOTE.to_owned());
        }
        let panels = findings
            .blocks
            .iter()
            .map(|block| self.panel(block, &families));
        let figure = Figure::Bars(Bars {
            title: findings.title(""),
            panels: panels.collect(),
        });
        Some(Document {
            tables: vec![
                findings.by_kind("", &columns, notes),
                settings::table(&findings, &papers),
            ],
            data: self.data(&input, &findings, &families),
            figures: vec![(String::new(), figure)],
        })
    }

    fn input(&self, scale: Scale) -> Input<'a> {
        Input {
            records: self.0,
            scale,
            not_run: &[],
        }
    }

    /// The runs of all attacks. Samples that detect more come first.
    fn ranked<'b>(&self, input: &'b Input<'b>) -> Findings<'b> {
        let mut findings = Findings::of(&STUDY, input);
        findings
            .blocks
            .retain(|block| !families(std::slice::from_ref(block)).is_empty());
        for block in &mut findings.blocks {
            let families = families(std::slice::from_ref(block));
            block.series.sort_by(|a, b| rank(a, b, &families));
        }
        findings
    }

    /// The title of a family.
    fn family(&self, name: &str) -> String {
        let title = self.0.attacks.get(name).copied();
        title.unwrap_or(name).to_owned()
    }

    fn columns<'b>(&self, families: &[String]) -> Vec<Column<'b, Kind<'b>>> {
        let detections = families.iter().map(|name| {
            let family = name.clone();
            number("detection", self.family(name), move |kind: &Kind| {
                Cell::maybe(detection(kind.series, &family), |found| {
                    found.cell(kind.series)
                })
            })
        });
        let mut columns: Vec<_> = detections.collect();
        columns.push(
            number("false alarms", "asked again", |kind: &Kind| {
                let alarms = asked_again(kind.series);
                Cell::text(format!("{}/{}", alarms.hits(), alarms.of()))
            })
            .number("false alarms", "worst engine", |kind| {
                Cell::maybe(worst_engine(kind.series), |rate| {
                    Cell::number(percent(rate), 1).within(rate.wilson95())
                })
            }),
        );
        columns.push(
            number("cost of a set", "seconds", |kind: &Kind| {
                let seconds = kind.series.sets.iter().map(|set| set.provenance.seconds);
                Cell::maybe(median(seconds), |seconds| Cell::number(seconds, 0))
            })
            .number("cost of a set", "queries", |kind| {
                let queries = kind.series.sets.iter().filter_map(|set| set.queries);
                Cell::maybe(median(queries.map(|queries| queries as f64)), |queries| {
                    Cell::Count(queries as u64)
                })
            }),
        );
        columns
    }

    /// A row for each kind of samples and each family.
    fn data(&self, input: &Input, findings: &Findings, families: &[String]) -> Table {
        let kinds = findings.blocks.iter().flat_map(|block| {
            let series = block.series.iter();
            series.map(move |series| (&block.target, series))
        });
        let found = kinds.flat_map(|(target, series)| {
            let families = families.iter();
            families.filter_map(move |family| {
                let detection = detection(series, family)?;
                Some(Found {
                    target,
                    series,
                    family,
                    detection,
                })
            })
        });
        input.data(STUDY.name, &found_columns(), &found.collect::<Vec<_>>())
    }

    /// False alarms and detection of one target, side by side.
    fn panel(&self, block: &Block, families: &[String]) -> Panel {
        let series = || block.series.iter();
        let engines = series().any(|series| worst_engine(series).is_some());
        let alarms = Strip {
            title: "false alarms".to_owned(),
            below: vec![
                if engines {
                    "worst engine"
                } else {
                    "asked again"
                }
                .to_owned(),
            ],
            alarm: true,
            bars: series()
                .map(|series| match engines {
                    true => worst_engine(series).map(bar),
                    false => Some(asked_again(series))
                        .filter(|rate| rate.of() > 0)
                        .map(bar),
                })
                .collect(),
        };
        let detections = families.iter().map(|family| {
            let bars = series().map(|series| {
                let Detection {
                    rate, low, high, ..
                } = detection(series, family)?;
                Some(Bar { rate, low, high })
            });
            Strip {
                title: self.family(family),
                below: vec!["mean over".to_owned(), "settings".to_owned()],
                alarm: false,
                bars: bars.collect(),
            }
        });
        Panel {
            title: block.title(),
            names: series().map(|series| series.title.clone()).collect(),
            strips: [alarms].into_iter().chain(detections).collect(),
        }
    }
}

/// A row of the data file.
struct Found<'a> {
    target: &'a Target<'a>,
    series: &'a Series<'a>,
    family: &'a str,
    detection: Detection,
}

fn found_columns<'a>() -> Vec<Column<'a, Found<'a>>> {
    vec![
        Target::column().of(|it: &Found<'a>| Some(it.target)),
        data_only()
            .text("generator", |it: &Found| it.series.generator)
            .text("generator_variant", |it| &it.series.variant)
            .text("attack", |it| it.family)
            .count("settings", "count", |it| it.detection.settings as u64)
            .share("rate", |it| it.detection.rate)
            .share("low95", |it| it.detection.low)
            .share("high95", |it| it.detection.high)
            .count("alarms_hits", "count", |it| asked_again(it.series).hits())
            .count("alarms_of", "count", |it| asked_again(it.series).of()),
    ]
}

impl Detection {
    fn cell(&self, series: &Series) -> Cell {
        let sets = series.sets.iter().map(|set| set.id);
        let source = Source::new(format!("{}: detection", series.title), sets)
            .fact("settings", self.settings.to_string())
            .fact("mean, %", format!("{:.1}", 100.0 * self.rate))
            .fact(
                "95 % interval, %",
                format!("{:.1} to {:.1}", 100.0 * self.low, 100.0 * self.high),
            );
        let cell = Cell::number(100.0 * self.rate, 1).within((self.low, self.high));
        cell.resting_on(source)
    }
}

/// The attacks that change a weight, in the order of their names.
fn families(blocks: &[Block]) -> Vec<String> {
    let series = blocks.iter().flat_map(|block| &block.series);
    let changes = series
        .flat_map(|series| &series.points)
        .filter(|point| is_change(point));
    let mut names: Vec<_> = changes.map(|point| point.runs[0].attack.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether an attack changed a weight. Those with leaked samples are another threat, so they stay out of the means.
fn is_change(point: &Point) -> bool {
    let run = point.runs[0];
    let known = run.leaked.is_some();
    point.setting.is_attack() && run.attack != EXECUTION && run.change.changed > 0 && !known
}

fn detection(series: &Series, family: &str) -> Option<Detection> {
    let measure = main_measure(series.generator);
    let points = series.points.iter().filter(|point| {
        is_change(point) && point.runs[0].attack == family && point.rate(measure).of() > 0
    });
    let points: Vec<_> = points.collect();
    let mean = |of: &dyn Fn(&Point) -> f64| {
        points.iter().map(|point| of(point)).sum::<f64>() / points.len() as f64
    };
    (!points.is_empty()).then(|| Detection {
        rate: mean(&|point| point.rate(measure).value()),
        low: mean(&|point| point.interval(measure).0),
        high: mean(&|point| point.interval(measure).1),
        settings: points.len(),
    })
}

/// The mean over families.
fn mean(series: &Series, families: &[String]) -> Option<f64> {
    let found = families
        .iter()
        .filter_map(|family| detection(series, family));
    let rates: Vec<f64> = found.map(|found| found.rate).collect();
    (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
}

/// More detection first; of equals those with fewer false alarms.
fn rank(a: &Series, b: &Series, families: &[String]) -> Ordering {
    let detected = |series| mean(series, families).unwrap_or(-1.0);
    let alarms = |series| asked_again(series).hits();
    let more = detected(b).total_cmp(&detected(a));
    more.then_with(|| alarms(a).cmp(&alarms(b)))
}

/// False alarms of the untouched model in Brink's own engine.
fn asked_again(series: &Series) -> Rate {
    series.false_alarms(main_measure(series.generator))
}

/// False alarms of the engine that raises most.
fn worst_engine(series: &Series) -> Option<Rate> {
    let engines = series
        .points
        .iter()
        .filter(|point| point.setting.is_attack() && is_other_engine(point.runs[0]));
    let rates = engines.map(|point| point.rate(main_measure(series.generator)));
    rates.max_by(|a, b| a.value().total_cmp(&b.value()))
}

fn bar(rate: Rate) -> Bar {
    let (low, high) = rate.wilson95();
    Bar {
        rate: rate.value(),
        low,
        high,
    }
}
