//! Table I: the models under protection, and how good they are beside the paper's.

use store::TargetRecord;
use verify::Rate;

use super::columns::{Column, Input, data_only, headings, number, words};
use super::numbers::{percent, wilson};
use super::paper::{self, Comparability, SETTINGS, Setting};
use super::subject::Subject;
use super::target::Target;
use crate::document::Document;
use crate::document::table::{Cell, Row, Source};

pub const SUBJECT: Subject = Subject::Models;

/// Table I.
pub fn build(input: &Input) -> Document {
    let targets = Target::all(input.records);
    // Only where a target has it.
    let validated = targets.iter().any(|target| target.record.validation.is_some());
    let columns = columns(validated);
    let mut table = input.table(
        "Table I: the models",
        2,
        &columns,
        &targets,
        |_| false,
        notes(input, &targets, validated),
    );
    let missing = SETTINGS.iter().filter(|setting| {
        let mut targets = targets.iter();
        !targets.any(|target| reference(target) == Some(setting))
    });
    let printed = missing.enumerate().map(|(nth, setting)| Row {
        begins: nth == 0,
        cells: printed(setting, headings(&columns).len()),
    });
    table.rows.extend(printed);
    Document {
        tables: vec![table],
        data: input.data("Table I", &columns, &targets),
        figures: Vec::new(),
    }
}

/// The setting of the paper to compare a target with.
fn reference(target: &Target) -> Option<&'static Setting> {
    Comparability::of(target.record).paper_reference()
}

fn columns<'a>(validated: bool) -> Vec<Column<'a, Target<'a>>> {
    let count = |value: fn(&TargetRecord) -> u64| {
        move |target: &Target| Cell::Count(value(target.record))
    };
    let share = |rate: Rate| Cell::number(rate.value(), 4);
    let validation = |cell: fn(Rate) -> Cell| {
        move |target: &Target| Some(cell(target.record.validation?))
    };
    vec![
        words("data set", |target: &Target| {
            Cell::text(&target.record.dataset_title)
        }),
        words("network", |target: &Target| {
            Cell::text(target.network_and_variant())
        }),
        Target::column(),
        data_only().data("target_seed", "", count(|target| target.seed)),
        number("", "input", |target: &Target| {
            let [c, h, w] = target.record.input;
            Cell::text(format!("{c}x{h}x{w}"))
        })
        .data("channels", "count", count(|target| target.input[0] as u64))
        .data("height", "pixels", count(|target| target.input[1] as u64))
        .data("width", "pixels", count(|target| target.input[2] as u64)),
        number("", "classes", count(|target| target.classes as u64)).data(
            "classes",
            "count",
            count(|target| target.classes as u64),
        ),
        number("", "parameters (M)", |target: &Target| {
            Cell::number(target.record.parameters as f64 / 1e6, 2)
        })
        .data("parameters", "count", count(|target| target.parameters)),
        number("training", "images", |target: &Target| {
            match target.record.epochs {
                0.0 => Cell::Missing,
                _ => Cell::Count(target.record.train_images),
            }
        })
        .data(
            "training_images",
            "images",
            count(|target| target.train_images),
        ),
        number("training", "epochs", |target: &Target| {
            let epochs = target.record.epochs;
            Cell::number(epochs, usize::from(epochs.fract() != 0.0))
        })
        .data("epochs", "count", |target| {
            Cell::number(target.record.epochs, 2)
        }),
        number("top-1 %", "ours", |target: &Target| {
            Cell::number(percent(target.record.accuracy), 2).resting_on(accuracy(target))
        })
        .number("top-1 %", "95 %", |target| {
            Cell::text(wilson(target.record.accuracy))
        })
        .paper("top-1 %", |target| {
            Cell::maybe(reference(target), |setting| Cell::text(setting.top1))
        })
        .data("hits", "images", count(|target| target.accuracy.hits()))
        .data("of", "images", count(|target| target.accuracy.of()))
        .data("rate", "share", move |target| share(target.record.accuracy))
        .data("low95", "share", |target| {
            Cell::number(target.record.accuracy.wilson95().0, 4)
        })
        .data("high95", "share", |target| {
            Cell::number(target.record.accuracy.wilson95().1, 4)
        })
        .data("paper_percent", "%", |target| {
            let top1 = reference(target).and_then(|setting| setting.top1.parse().ok());
            Cell::maybe(top1, |top1| Cell::number(top1, 2))
        }),
        number("top-1 %", "validation", |target: &Target| {
            Cell::maybe(target.record.validation, |rate| {
                Cell::number(percent(rate), 2).resting_on(held_out(target, rate))
            })
        })
        .shown_if(validated)
        .data_if(
            "validation_hits",
            "images",
            validation(|rate| Cell::Count(rate.hits())),
        )
        .data_if(
            "validation_of",
            "images",
            validation(|rate| Cell::Count(rate.of())),
        )
        .data_if("validation_rate", "share", validation(share)),
    ]
}

/// The row of a setting that no target compares with.
fn printed(setting: &Setting, width: usize) -> Vec<Cell> {
    let lines = paper::lines(include_str!("../../../../experiments/table1/paper.csv"));
    let line = lines.iter().find(|line| line["dataset"] == setting.dataset);
    let field = |name| Cell::maybe(line.map(|line| line[name]), Cell::text);
    let mut cells = vec![
        Cell::text(format!("paper ({})", setting.title)),
        Cell::text(setting.network),
        field("input"),
        field("classes"),
    ];
    // Parameters, images, epochs, top-1 and its interval.
    cells.extend(vec![Cell::Blank; 5]);
    cells.push(Cell::text(setting.top1));
    cells.resize(width, Cell::Blank);
    cells
}

fn notes(input: &Input, targets: &[Target], validated: bool) -> Vec<String> {
    let mut notes = input.notes(
        targets.is_empty(),
        "top-1 on the test images used, with the 95 % Wilson interval. 0 epochs: weights from a file, used as they are.",
    );
    notes.extend(validated.then(|| {
        "validation: on training images that were held out, to choose settings by.".to_owned()
    }));
    for target in targets {
        if let Comparability::Related(setting) = Comparability::of(target.record) {
            notes.push(format!(
                "paper beside {}, {}: as printed for {setting}, not the same experiment.",
                target.record.dataset_title, target.network
            ));
        }
    }
    notes
}

/// The source of the accuracy on test images.
fn accuracy(target: &Target) -> Source {
    let Target {
        record, network, ..
    } = target;
    let what = format!("{}, {network}: top-1 accuracy", record.dataset_title);
    Source::new(what, [record.id])
        .fact("counted", record.accuracy.to_string())
        .fact("seed", record.seed.to_string())
        .fact("specification", record.spec.to_string())
}

/// The source of the accuracy on held-out training images.
fn held_out(target: &Target, rate: Rate) -> Source {
    let Target {
        record, network, ..
    } = target;
    let what = format!(
        "{}, {network}: top-1 on the validation images",
        record.dataset_title
    );
    Source::new(what, [record.id])
        .fact("counted", rate.to_string())
        .fact("95 %", wilson(rate))
        .fact("specification", record.spec.to_string())
}
