//! The columns of sample sets, for people and for data files.

use brink_store::{SetRecord, Stop};
use brink_verify::Rate;

use super::super::aggregate::Series;
use super::super::columns::{Column, data_only, number};
use super::super::numbers::range;
use super::super::paper::Measure;
use crate::document::table::Cell;

/// What samples are: their sets, their making and their false alarms.
pub fn columns<'a>() -> Vec<Column<'a, Series<'a>>> {
    let alarms = |rate: Rate| match rate.of() {
        0 => Cell::Missing,
        of => Cell::text(format!("{}/{of}", rate.hits())),
    };
    vec![
        data_only()
            .text("generator", |it: &Series| it.generator)
            .text("generator_variant", |it| &it.variant)
            .data("own_pairs", "", |it| Cell::Flag(it.are_pairs())),
        number("", "sets", |it: &Series| Cell::Count(it.sets.len() as u64)),
        number("", "made/asked", |it: &Series| {
            let (made, asked) = (it.sum(|set| set.made), it.sum(|set| set.asked));
            Cell::text(format!("{made}/{asked}"))
        })
        .count("samples_made", "count", |it| it.sum(|set| set.made))
        .count("samples_asked", "count", |it| it.sum(|set| set.asked)),
        number("", "not crossed", |it: &Series| {
            Cell::Count(it.sum(|set| set.uncrossed))
        })
        .count("samples_uncrossed", "count", |it| {
            it.sum(|set| set.uncrossed)
        }),
        number("stage 1", "iterations", |it: &Series| {
            let used = range(it.sets.iter().map(|set| set.iterations_used));
            let caps = range(it.sets.iter().map(|set| set.iterations_cap));
            if_iterated(it, Cell::text(format!("{used}/{caps}")))
        }),
        number("stage 1", "ended by", |it: &Series| {
            if_iterated(it, Cell::text(stops(&it.sets)))
        }),
        number("stage 1", "median |margin|", |it: &Series| {
            Cell::maybe(it.median_margin(), Cell::Scientific)
        })
        .number("stage 1", "margin 0", |it| {
            if_iterated(it, Cell::Count(it.sum(SetRecord::on_the_boundary)))
        })
        .count("samples_on_boundary", "count", |it| {
            it.sum(SetRecord::on_the_boundary)
        })
        .data("median_margin", "margin", |it| {
            Cell::maybe(it.median_margin(), Cell::Scientific)
        }),
        number("", "largest label group", |it: &Series| {
            let largest = it.sum(|set| set.label_balance.iter().copied().max().unwrap_or(0));
            match it.sum(|set| set.label_balance.iter().sum()) {
                0 => Cell::text("–"),
                of => Cell::text(format!("{:.1} %", 100.0 * largest as f64 / of as f64)),
            }
        }),
        number("false alarms", "single", move |it: &Series| {
            alarms(it.false_alarms(Measure::Single))
        }),
        number("false alarms", "pair", move |it: &Series| {
            alarms(it.false_alarms(Measure::Pair))
        }),
    ]
}

/// A cell of generators that iterate; missing of the others.
fn if_iterated(series: &Series, cell: Cell) -> Cell {
    match series.sets.iter().any(|set| set.stop != Stop::None) {
        true => cell,
        false => Cell::Missing,
    }
}

fn stops(sets: &[&SetRecord]) -> String {
    let mut names: Vec<_> = sets
        .iter()
        .map(|set| match set.stop {
            Stop::Converged => "convergence",
            Stop::Cap => "cap",
            Stop::None => "–",
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
