//! Stage 1 against its iterations: how near to the boundary samples come, and how strongly the outputs respond.

use std::collections::BTreeMap;

use brink_store::{Measured, Progress};

use super::columns::{Column, Input, data_only, number, words};
use super::names::{rank, title};
use super::probes::ProbeGroup;
use super::subject::{Probe, Subject};
use crate::document::Document;
use crate::document::figure::{Figure, Line, Lines, Plot};
use crate::document::table::Cell;

pub const SUBJECT: Subject = Subject::Probe(Probe::Convergence);

/// One generator on one target, by iteration.
struct Course<'a> {
    group: &'a ProbeGroup<'a>,
    generator: &'a str,
    title: String,
    points: Vec<&'a Progress>,
}

/// A course that has a beginning and an end.
struct Whole<'a> {
    course: &'a Course<'a>,
    /// Whether it is the first of its group.
    first: bool,
    ends: [&'a Progress; 2],
}

/// One iteration.
struct Point<'a> {
    course: &'a Course<'a>,
    progress: &'a Progress,
}

/// The convergence of stage 1.
pub fn build(input: &Input) -> Document {
    let groups = ProbeGroup::all(input.records, Probe::Convergence, &[]);
    let groups: Vec<_> = groups
        .iter()
        .map(|group| (group, courses(input, group)))
        .collect();
    let courses = || groups.iter().flat_map(|(_, courses)| courses);
    let whole = groups.iter().flat_map(|(_, courses)| {
        courses.iter().enumerate().filter_map(|(nth, course)| {
            let [first, .., last] = course.points.as_slice() else {
                return None;
            };
            let (first, ends) = (nth == 0, [*first, *last]);
            Some(Whole {
                course,
                first,
                ends,
            })
        })
    });
    let whole: Vec<_> = whole.collect();
    let points = courses().flat_map(|course| {
        let points = course.points.iter();
        points.map(move |progress| Point { course, progress })
    });
    let title = "Stage 1 by iterations";
    let notes = input.notes(
        groups.is_empty(),
        "Means over samples; |margin| is the distance between the two largest outputs.",
    );
    let plots = groups.iter().flat_map(|(group, courses)| {
        let plot = |y: &str, value: fn(&Progress) -> f64| Plot {
            title: group.title(),
            x: "iterations".to_owned(),
            y: y.to_owned(),
            lines: courses.iter().map(|course| course.line(value)).collect(),
        };
        [
            plot("|margin| between the two largest outputs", |point| {
                point.margin
            }),
            plot("sum of |output|", |point| point.outputs),
        ]
    });
    let figure = Figure::Lines(Lines {
        title: input.title(title),
        plots: plots.collect(),
    });
    Document {
        tables: vec![input.table(title, 3, &columns(), &whole, |nth| whole[nth].first, notes)],
        data: input.data(title, &data(), &points.collect::<Vec<_>>()),
        figures: vec![(String::new(), figure)],
    }
}

fn courses<'a>(input: &Input, group: &'a ProbeGroup<'a>) -> Vec<Course<'a>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for probe in &group.probes {
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
    all.map(|((_, generator), points)| Course {
        group,
        generator,
        title: title(input.records, generator, ""),
        points,
    })
    .collect()
}

impl Course<'_> {
    fn line(&self, value: fn(&Progress) -> f64) -> Line {
        let points = self.points.iter().filter(|point| point.iteration > 0);
        Line {
            name: self.title.clone(),
            look: rank(self.generator),
            points: points
                .map(|point| (point.iteration as f64, value(point)))
                .collect(),
        }
    }
}

impl Whole<'_> {
    fn first(&self, cell: Cell) -> Cell {
        if self.first { cell } else { Cell::Blank }
    }
}

fn columns<'a>() -> Vec<Column<'a, Whole<'a>>> {
    let end = |name: &'static str, value: fn(&Progress) -> f64, nth: usize| {
        move |whole: &Whole| {
            let Course {
                group,
                title,
                points,
                ..
            } = whole.course;
            let source = group.source(&format!("{title}, {name}"));
            Cell::Scientific(value(whole.ends[nth]))
                .resting_on(source.fact("iterations recorded", points.len().to_string()))
        }
    };
    let ends = |name: &'static str, value: fn(&Progress) -> f64| {
        number(name, "start", end(name, value, 0)).number(name, "end", end(name, value, 1))
    };
    vec![
        words("data set", |whole: &Whole| {
            whole.first(whole.course.group.dataset())
        }),
        words("network", |whole: &Whole| {
            whole.first(whole.course.group.network())
        }),
        words("samples", |whole: &Whole| Cell::text(&whole.course.title)),
        number("", "iterations", |whole: &Whole| {
            Cell::Count(whole.ends[1].iteration)
        }),
        ends("|margin|", |point| point.margin),
        ends("sum of |output|", |point| point.outputs),
        ends("loss", |point| point.loss),
    ]
}

fn data<'a>() -> Vec<Column<'a, Point<'a>>> {
    let mut columns = ProbeGroup::columns(|it: &Point<'a>| it.course.group);
    columns.push(
        data_only()
            .text("generator", |it: &Point| it.course.generator)
            .count("iteration", "count", |it| it.progress.iteration)
            .real("margin", "output", |it| it.progress.margin)
            .real("outputs", "output", |it| it.progress.outputs)
            .real("loss", "1", |it| it.progress.loss),
    );
    columns
}
