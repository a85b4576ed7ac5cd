//! Detection beside false alarms in other engines: a row for each kind of samples.

use brink_verify::Rate;

use super::aggregate::{Block, Point, is_other_engine};
use super::columns::{Column, Input, number};
use super::detection::{Answers, Findings, Kind};
use super::names::main_measure;
use super::numbers::percent;
use super::study::{Setting, Study};
use super::subject::{EXECUTION, Subject};
use super::verdicts;
use crate::document::Document;
use crate::document::figure::{Bar, Bars, BarsPanel as Panel, Figure, Strip};
use crate::document::table::Cell;

const STUDY: Study = Study {
    name: "Detection against false alarms",
    ..verdicts::STUDY
};

/// The most settings of attacks in a figure. With the false alarms they are two rows of strips.
const STRIPS: usize = 5;

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    let findings = Findings::of(&STUDY, input);
    let settings = attacks(&findings.blocks);
    let engines = "worst engine: pairs that change on the untouched model, in the engine where most do; alarms: engines in which any does. \
                   An engine executes the same weights in f32 or f64 on f32 images.";
    let mut notes = input.notes(findings.blocks.is_empty(), engines);
    if !findings.blocks.is_empty() {
        if settings.len() > STRIPS {
            notes.push(format!(
                "The figure shows the {STRIPS} settings of attacks at which the samples differ most."
            ));
        }
        notes.push(
            "Each other column: pairs that change after this attack, asked in Brink's own engine. In %, of the Validset single images; \
             counts and intervals are in the data files."
                .to_owned(),
        );
    }
    let panels = findings.blocks.iter().map(panel);
    let figure = Figure::Bars(Bars {
        title: findings.title(""),
        panels: panels.collect(),
    });
    Document {
        tables: vec![
            findings.by_kind(": pairs that change in %", &columns(&settings), notes),
            findings.of_samples(),
        ],
        data: findings.data(),
        figures: vec![(String::new(), figure)],
    }
}

/// All settings of attacks that change the model, in their order.
fn attacks<'a>(blocks: &'a [Block<'a>]) -> Vec<&'a Setting> {
    let series = blocks.iter().flat_map(|block| &block.series);
    let points = series.flat_map(|series| &series.points);
    let changes = points.filter(|point| {
        let run = point.runs[0];
        point.setting.is_attack() && run.attack != EXECUTION && run.change.changed > 0
    });
    let mut settings: Vec<_> = changes.map(|point| &point.setting).collect();
    settings.sort();
    settings.dedup();
    settings
}

fn columns<'a>(settings: &[&'a Setting]) -> Vec<Column<'a, Kind<'a>>> {
    let rate = |rate: Rate| Cell::number(percent(rate), 1);
    let mut columns = vec![
        number("false alarms", "worst engine", move |kind: &Kind| {
            Cell::maybe(worst(kind), |(_, worst)| rate(worst))
        })
        .number("false alarms", "alarms", |kind| {
            let all = engines(kind);
            let alarms = all.iter().filter(|point| alarm(kind, point).hits() > 0);
            match all.len() {
                0 => Cell::Missing,
                of => Cell::text(format!("{}/{of}", alarms.count())),
            }
        }),
    ];
    columns.extend(settings.iter().map(|&setting| {
        let (attack, setting_of_it) = split(setting);
        number(&attack, setting_of_it, move |it: &Answers| rate(it.rate()))
            .of(move |kind: &Kind<'a>| kind.answers(Some(setting)))
    }));
    columns
}

/// The other engines that were asked.
fn engines<'a>(kind: &Kind<'a>) -> Vec<&'a Point<'a>> {
    let points = kind.series.points.iter();
    let engines =
        points.filter(|point| point.setting.is_attack() && is_other_engine(point.runs[0]));
    engines.collect()
}

/// The false alarms in one engine.
fn alarm(kind: &Kind, engine: &Point) -> Rate {
    engine.rate(main_measure(kind.series.generator))
}

/// The engine with the most false alarms, and their rate.
fn worst<'a>(kind: &Kind<'a>) -> Option<(&'a Point<'a>, Rate)> {
    let engines = engines(kind).into_iter();
    let rates = engines.map(|point| (point, alarm(kind, point)));
    rates.max_by(|a, b| a.1.value().total_cmp(&b.1.value()))
}

/// False alarms and detection of one target, side by side.
fn panel(block: &Block) -> Panel {
    let kinds: Vec<Kind> = Findings::kinds(block).collect();
    let bar = |rate: Rate, (low, high): (f64, f64)| Bar {
        rate: rate.value(),
        low,
        high,
    };
    let asked = kinds.iter().map(|kind| engines(kind).len()).max();
    let alarms = kinds.iter().map(|kind| {
        let (point, rate) = worst(kind)?;
        let interval = point.interval(main_measure(kind.series.generator));
        Some(bar(rate, interval))
    });
    let alarms = Strip {
        title: "false alarms".to_owned(),
        below: match asked {
            Some(1) => vec!["in another engine".to_owned()],
            asked => vec![
                format!("worst of {}", asked.unwrap_or(0)),
                "other engines".to_owned(),
            ],
        },
        alarm: true,
        bars: alarms.collect(),
    };
    let settings = telling(attacks(std::slice::from_ref(block)), &kinds);
    let detections = settings.into_iter().map(|setting| {
        let bars = kinds.iter().map(|kind| {
            let answers = kind.answers(Some(setting))?;
            let interval = answers.point?.interval(answers.measure);
            Some(bar(answers.rate(), interval))
        });
        let (title, below) = split(setting);
        Strip {
            title,
            below: below.split(", ").map(str::to_owned).collect(),
            alarm: false,
            bars: bars.collect(),
        }
    });
    Panel {
        title: block.title(),
        names: kinds.iter().map(|kind| kind.series.title.clone()).collect(),
        strips: [alarms].into_iter().chain(detections).collect(),
    }
}

/// The settings that tell the samples apart best: those at which their rates have the largest variance.
fn telling<'a>(mut settings: Vec<&'a Setting>, kinds: &[Kind]) -> Vec<&'a Setting> {
    let spread = |setting: &Setting| {
        let answers = kinds.iter().filter_map(|kind| kind.answers(Some(setting)));
        let rates: Vec<f64> = answers.map(|answers| answers.rate().value()).collect();
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / rates.len() as f64
    };
    settings.sort_by(|a, b| spread(b).total_cmp(&spread(a)));
    settings.truncate(STRIPS);
    settings.sort();
    settings
}

/// The attack, and its setting.
fn split(setting: &Setting) -> (String, String) {
    let label = STUDY.label(setting).plain();
    let (attack, setting) = label.split_once(", ").unwrap_or((&label, ""));
    (attack.to_owned(), setting.to_owned())
}
