//! Table I: the models under protection, and how good they are beside the paper's.

use brink_verify::Rate;

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
    let validated = targets
        .iter()
        .any(|target| target.record.validation.is_some());
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
    let validation =
        |value: fn(Rate) -> Cell| move |target: &Target| target.record.validation.map(value);
    vec![
        words("data set", |it: &Target| {
            Cell::text(&it.record.dataset_title)
        }),
        words("network", |it: &Target| {
            Cell::text(it.network_and_variant())
        }),
        Target::column(),
        data_only().count("target_seed", "", |it: &Target| it.record.seed),
        number("", "input", |it: &Target| {
            let [c, h, w] = it.record.input;
            Cell::text(format!("{c}x{h}x{w}"))
        })
        .count("channels", "count", |it| it.record.input[0] as u64)
        .count("height", "pixels", |it| it.record.input[1] as u64)
        .count("width", "pixels", |it| it.record.input[2] as u64),
        number("", "classes", |it: &Target| {
            Cell::Count(it.record.classes as u64)
        })
        .count("classes", "count", |it| it.record.classes as u64),
        number("", "parameters (M)", |it: &Target| {
            Cell::number(it.millions(), 2)
        })
        .count("parameters", "count", |it| it.record.parameters),
        number("training", "images", |it: &Target| match it.record.epochs {
            0.0 => Cell::Missing,
            _ => Cell::Count(it.record.train_images),
        })
        .count("training_images", "images", |it| it.record.train_images),
        number("training", "epochs", |it: &Target| {
            let epochs = it.record.epochs;
            Cell::number(epochs, usize::from(epochs.fract() != 0.0))
        })
        .real("epochs", "count", |it| it.record.epochs),
        number("top-1 %", "ours", |it: &Target| {
            Cell::number(percent(it.record.accuracy), 2).resting_on(accuracy(it))
        })
        .number("top-1 %", "95 %", |it| {
            Cell::text(wilson(it.record.accuracy))
        })
        .paper("top-1 %", |it| {
            Cell::maybe(reference(it), |setting| Cell::text(setting.top1))
        })
        .rate("images", |it| it.record.accuracy)
        .data("paper_percent", "%", |it| {
            let top1 = reference(it).and_then(|setting| setting.top1.parse().ok());
            Cell::maybe(top1, Cell::Scientific)
        }),
        number("top-1 %", "validation", |it: &Target| {
            Cell::maybe(it.record.validation, |rate| {
                Cell::number(percent(rate), 2).resting_on(held_out(it, rate))
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
        .data_if(
            "validation_rate",
            "share",
            validation(|rate| Cell::number(rate.value(), 4)),
        ),
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
    source(target, "top-1 accuracy")
        .fact("counted", target.record.accuracy.to_string())
        .fact("seed", target.record.seed.to_string())
        .fact("specification", target.record.spec.to_string())
}

/// The source of the accuracy on held-out training images.
fn held_out(target: &Target, rate: Rate) -> Source {
    source(target, "top-1 on the validation images")
        .fact("counted", rate.to_string())
        .fact("95 %", wilson(rate))
        .fact("specification", target.record.spec.to_string())
}

fn source(target: &Target, what: &str) -> Source {
    let record = target.record;
    let title = format!("{}, {}: {what}", record.dataset_title, target.network);
    Source::new(title, [record.id])
}
