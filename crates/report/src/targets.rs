//! Table I: the models under protection, and how good they are beside the paper's.

use spec::Scale;
use store::TargetRecord;
use verify::Rate;

use crate::long::{Fields, align, done, of_target, skipped};
use crate::names::network;
use crate::paper::{self, Kinship, SETTINGS};
use crate::pool::targets;
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// Table I.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let targets = targets(records);
    Document {
        tables: vec![table(&targets, scale, not_run)],
        data: data(&targets, scale, not_run),
        figures: Vec::new(),
    }
}

fn table(targets: &[(String, &TargetRecord)], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::right("", "input"),
        Column::right("", "classes"),
        Column::right("", "parameters (M)"),
        Column::right("training", "images"),
        Column::right("training", "epochs"),
        Column::right("top-1 %", "ours"),
        Column::right("top-1 %", "95 %"),
        Column::paper("top-1 %"),
    ];
    // A column only where there is something to see in it.
    let validated = targets
        .iter()
        .any(|(_, target)| target.validation.is_some());
    if validated {
        columns.push(Column::right("top-1 %", "validation"));
    }
    let mut rows: Vec<_> = targets
        .iter()
        .map(|(variant, target)| row(variant, target))
        .collect();
    let alone = SETTINGS.iter().filter(|setting| {
        let shown = |target: &TargetRecord| Kinship::of(target).beside() == Some(setting);
        !targets.iter().any(|(_, target)| shown(target))
    });
    let lines = paper::lines(include_str!("../../../experiments/table1/paper.csv"));
    for (nth, setting) in alone.enumerate() {
        let line = lines.iter().find(|line| line["dataset"] == setting.dataset);
        let field = |name| Cell::maybe(line.map(|line| line[name]), Cell::text);
        rows.push(Row {
            begins: nth == 0,
            cells: vec![
                Cell::text(format!("paper ({})", setting.title)),
                Cell::text(setting.network),
                field("input"),
                field("classes"),
                Cell::Blank,
                Cell::Blank,
                Cell::Blank,
                Cell::Blank,
                Cell::Blank,
                Cell::text(setting.top1),
                Cell::Blank,
            ],
        });
    }
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    if targets.is_empty() {
        notes.push("Nothing has been computed yet.".to_owned());
    } else {
        notes.push(
            "top-1 on the test images used, with the 95 % Wilson interval. 0 epochs: weights from a file, used as they are."
                .to_owned(),
        );
    }
    if validated {
        notes.push(
            "validation: on training images that were held out, to choose settings by.".to_owned(),
        );
    }
    for (_, target) in targets {
        if let Kinship::Akin(setting) = Kinship::of(target) {
            notes.push(format!(
                "paper beside {}, {}: as printed for {setting}, not the same experiment.",
                target.dataset_title,
                network(target)
            ));
        }
    }
    for row in rows.iter_mut().filter(|_| !validated) {
        row.cells.pop();
    }
    Table {
        title: format!("Table I: the models{}", scale.title_suffix()),
        columns,
        heads: 2,
        stacked: false,
        rows,
        notes,
    }
}

/// What the accuracy on held-out training images rests on.
fn validation(target: &TargetRecord, rate: Rate) -> Source {
    let (low, high) = rate.wilson95();
    let what = format!(
        "{}, {}: top-1 on the validation images",
        target.dataset_title,
        network(target)
    );
    Source::new(what, [target.id])
        .fact("counted", rate.to_string())
        .fact("95 %", format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high))
        .fact("specification", target.spec.to_string())
}

fn row(variant: &str, target: &TargetRecord) -> Row {
    let [c, h, w] = target.input;
    let (low, high) = target.accuracy.wilson95();
    let name = network(target);
    let source = Source::new(
        format!("{}, {name}: top-1 accuracy", target.dataset_title),
        [target.id],
    )
    .fact("counted", target.accuracy.to_string())
    .fact("seed", target.seed.to_string())
    .fact("specification", target.spec.to_string());
    let beside = Kinship::of(target).beside();
    Row {
        begins: false,
        cells: vec![
            Cell::text(&target.dataset_title),
            Cell::text(if variant.is_empty() {
                name
            } else {
                format!("{name}, {variant}")
            }),
            Cell::text(format!("{c}x{h}x{w}")),
            Cell::Count(target.classes as u64),
            Cell::number(target.parameters as f64 / 1e6, 2),
            match target.epochs {
                0.0 => Cell::Missing,
                _ => Cell::Count(target.train_images),
            },
            Cell::number(target.epochs, usize::from(target.epochs.fract() != 0.0)),
            Cell::number(100.0 * target.accuracy.value(), 2).resting_on(source),
            Cell::text(format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high)),
            Cell::maybe(beside, |setting| Cell::text(setting.top1)),
            Cell::maybe(target.validation, |rate| {
                Cell::number(100.0 * rate.value(), 2).resting_on(validation(target, rate))
            }),
        ],
    }
}

fn data(targets: &[(String, &TargetRecord)], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows: Vec<Fields> = Vec::new();
    for (variant, target) in targets {
        let (low, high) = target.accuracy.wilson95();
        let [c, h, w] = target.input.map(|size| Cell::Count(size as u64));
        let beside = Kinship::of(target).beside();
        let mut row = done(scale);
        row.extend(of_target(target, variant));
        row.extend([
            ("target_seed", Cell::Count(target.seed)),
            ("channels", c),
            ("height", h),
            ("width", w),
            ("classes", Cell::Count(target.classes as u64)),
            ("parameters", Cell::Count(target.parameters)),
            ("training_images", Cell::Count(target.train_images)),
            ("epochs", Cell::number(target.epochs, 2)),
            ("hits", Cell::Count(target.accuracy.hits())),
            ("of", Cell::Count(target.accuracy.of())),
            ("rate", Cell::number(target.accuracy.value(), 4)),
            ("low95", Cell::number(low, 4)),
            ("high95", Cell::number(high, 4)),
            (
                "paper_percent",
                Cell::maybe(
                    beside.and_then(|setting| setting.top1.parse().ok()),
                    |top1| Cell::number(top1, 2),
                ),
            ),
        ]);
        if let Some(validation) = target.validation {
            row.extend([
                ("validation_hits", Cell::Count(validation.hits())),
                ("validation_of", Cell::Count(validation.of())),
                ("validation_rate", Cell::number(validation.value(), 4)),
            ]);
        }
        rows.push(row);
    }
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(format!("Table I, data{}", scale.title_suffix()), rows)
}
