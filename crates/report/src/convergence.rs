//! Stage 1 against its iterations: how near to the boundary samples come, and how strongly the outputs respond.

use std::collections::BTreeMap;

use spec::Scale;
use store::{Measured, Progress};

use crate::figure::{Figure, Line, Lines, Plot};
use crate::long::{Fields, align, done, skipped};
use crate::names::{rank, title};
use crate::probes::Asked;
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// One generator on one target, by iteration.
struct Course<'a> {
    generator: &'a str,
    points: Vec<&'a Progress>,
}

/// What is followed, and its name.
type Quantity = (&'static str, fn(&Progress) -> f64);

/// The convergence of stage 1.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let all = Asked::all(records, &[], |probe| {
        matches!(probe.result, Measured::Convergence(_))
    });
    let all: Vec<_> = all.iter().map(|asked| (asked, courses(asked))).collect();
    Document {
        tables: vec![table(&all, scale, not_run)],
        data: data(&all, scale, not_run),
        figures: vec![(String::new(), Figure::Lines(figure(&all, scale)))],
    }
}

fn courses<'a>(asked: &Asked<'a>) -> Vec<Course<'a>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for probe in &asked.probes {
        let Measured::Convergence(progress) = &probe.result else {
            continue;
        };
        for point in progress {
            let generator = point.generator.as_str();
            let course = all.entry((rank(generator), generator)).or_default();
            course.push(point);
        }
    }
    let all = all.into_iter();
    all.map(|((_, generator), points)| Course { generator, points })
        .collect()
}

fn table(all: &[(&Asked, Vec<Course>)], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::left("samples"),
        Column::right("", "iterations"),
    ];
    for group in ["|margin|", "sum of |output|", "loss"] {
        columns.extend(["start", "end"].map(|name| Column::right(group, name)));
    }
    let mut rows = Vec::new();
    for (asked, courses) in all {
        let (dataset, network) = asked.names();
        for (nth, course) in courses.iter().enumerate() {
            let [first, .., last] = course.points.as_slice() else {
                continue;
            };
            let name = title(course.generator, "");
            let source = |what: &str| {
                let steps = asked.probes.iter().map(|probe| probe.id);
                Source::new(
                    format!("{}: {name}, {what}", asked.title()),
                    steps.chain([asked.target.id]),
                )
                .fact("iterations recorded", course.points.len().to_string())
            };
            let mut cells = vec![
                if nth == 0 {
                    Cell::text(&dataset)
                } else {
                    Cell::Blank
                },
                if nth == 0 {
                    Cell::text(&network)
                } else {
                    Cell::Blank
                },
                Cell::text(&name),
                Cell::Count(last.iteration),
            ];
            let values: [Quantity; 3] = [
                ("|margin|", |point| point.margin),
                ("sum of |output|", |point| point.outputs),
                ("loss", |point| point.loss),
            ];
            for (what, value) in values {
                for point in [first, last] {
                    cells.push(Cell::Scientific(value(point)).resting_on(source(what)));
                }
            }
            rows.push(Row {
                begins: nth == 0,
                cells,
            });
        }
    }
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    notes.push(if all.is_empty() {
        "Nothing has been computed yet.".to_owned()
    } else {
        "Means over samples; |margin| is the distance between the two largest outputs.".to_owned()
    });
    Table {
        title: format!("Stage 1 by iterations{}", scale.title_suffix()),
        columns,
        heads: 3,
        stacked: false,
        rows,
        notes,
    }
}

/// A row of two plots a target.
fn figure(all: &[(&Asked, Vec<Course>)], scale: Scale) -> Lines {
    let quantities: [Quantity; 2] = [
        ("|margin| between the two largest outputs", |point| {
            point.margin
        }),
        ("sum of |output|", |point| point.outputs),
    ];
    let plot = |asked: &Asked, courses: &[Course], y: &str, value: fn(&Progress) -> f64| {
        let lines = courses.iter().map(|course| {
            let points = course.points.iter().filter(|point| point.iteration > 0);
            Line {
                name: title(course.generator, ""),
                look: rank(course.generator),
                points: points
                    .map(|point| (point.iteration as f64, value(point)))
                    .collect(),
            }
        });
        Plot {
            title: asked.title(),
            x: "iterations".to_owned(),
            y: y.to_owned(),
            lines: lines.collect(),
        }
    };
    let plots = all
        .iter()
        .flat_map(|(asked, courses)| quantities.map(|(y, value)| plot(asked, courses, y, value)));
    Lines {
        title: format!("Stage 1 by iterations{}", scale.title_suffix()),
        plots: plots.collect(),
    }
}

fn data(all: &[(&Asked, Vec<Course>)], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows: Vec<Fields> = Vec::new();
    for (asked, courses) in all {
        for (course, point) in courses
            .iter()
            .flat_map(|course| course.points.iter().map(move |point| (course, point)))
        {
            let mut row = done(scale);
            row.extend(asked.fields());
            row.extend([
                ("generator", Cell::text(course.generator)),
                ("iteration", Cell::Count(point.iteration)),
                ("margin", Cell::Scientific(point.margin)),
                ("outputs", Cell::Scientific(point.outputs)),
                ("loss", Cell::Scientific(point.loss)),
            ]);
            rows.push(row);
        }
    }
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(
        format!("Stage 1 by iterations, data{}", scale.title_suffix()),
        rows,
    )
}
