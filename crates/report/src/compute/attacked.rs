//! What an attack did to its models.

use brink_store::RunRecord;
use brink_verify::Rate;

use super::columns::{Column, data_only, number};
use super::numbers::{percent, range, wilson};
use crate::document::table::Cell;

/// The attacked models of one setting, one run a seed.
pub struct Attacked {
    /// How many models.
    models: u64,
    /// Steps of the optimiser, a model each.
    steps: Vec<u64>,
    /// The share of weights whose 32 bits differ, mean over models.
    changed: f64,
    /// The mean absolute change of a weight, mean over models.
    mean_abs: f64,
    /// The largest absolute change of all.
    max_abs: f64,
    /// Top-1 before, counts of all models together.
    before: Rate,
    /// Top-1 after, counts of all models together.
    after: Rate,
    /// Top-1 after, mean over models, as counts of one model's images: more models are no more images.
    top1: Rate,
    /// The models in which the attacker reached their aim, of those with one.
    reached: Rate,
    /// The attacker's success rate on unseen images, before.
    success_before: Rate,
    /// And after.
    success_after: Rate,
}

impl Attacked {
    /// Of these models; one at least.
    pub fn of(models: &[&RunRecord]) -> Self {
        let mean = |value: fn(&RunRecord) -> f64| {
            models.iter().map(|run| value(run)).sum::<f64>() / models.len() as f64
        };
        let all = |rate: fn(&RunRecord) -> Option<Rate>| -> Rate {
            models.iter().filter_map(|run| rate(run)).sum()
        };
        let largest = models.iter().map(|run| run.change.max_abs);
        let after = all(|run| Some(run.accuracy_after));
        let images = models.iter().map(|run| run.accuracy_after.of()).max();
        let images = images.unwrap_or_default();
        Self {
            models: models.len() as u64,
            steps: models.iter().map(|run| run.steps).collect(),
            changed: mean(|run| run.change.changed as f64 / run.change.weights as f64),
            mean_abs: mean(|run| run.change.mean_abs),
            max_abs: largest.fold(0.0, f64::max),
            before: all(|run| Some(run.accuracy_before)),
            after,
            top1: Rate::new((after.value() * images as f64).round() as u64, images),
            reached: Rate::count(models.iter().filter_map(|run| run.reached)),
            success_before: all(|run| run.success_before),
            success_after: all(|run| run.success_after),
        }
    }
}

/// The columns of [`Attacked`]; for people only those in which some of `runs` has something.
pub fn columns<'a>(runs: &[&RunRecord]) -> Vec<Column<'a, Attacked>> {
    let mean_steps = |it: &Attacked| it.steps.iter().sum::<u64>() as f64 / it.models as f64;
    let any = |has: fn(&RunRecord) -> bool| runs.iter().any(|run| has(run));
    vec![
        number("", "seeds", |it: &Attacked| Cell::Count(it.models)),
        number("", "steps", |it: &Attacked| {
            Cell::text(range(it.steps.iter().copied()))
        })
        .shown_if(any(|run| run.steps > 0)),
        number("", "mean steps", move |it: &Attacked| {
            Cell::number(mean_steps(it), 1)
        })
        .real("mean_steps", "count", mean_steps)
        .shown_if(any(|run| run.steps > 0)),
        number("weights", "changed %", |it: &Attacked| {
            Cell::number(100.0 * it.changed, 2)
        })
        .share("weights_changed", |it| it.changed),
        number("weights", "mean |Δ|", |it: &Attacked| {
            Cell::Scientific(it.mean_abs)
        })
        .real("mean_abs_change", "weight", |it| it.mean_abs),
        number("weights", "largest |Δ|", |it: &Attacked| {
            Cell::Scientific(it.max_abs)
        })
        .real("max_abs_change", "weight", |it| it.max_abs),
        number("top-1 %", "before", |it: &Attacked| {
            Cell::number(percent(it.before), 2)
        }),
        number("top-1 %", "after", |it: &Attacked| {
            Cell::number(percent(it.after), 2)
        })
        .number("top-1 %", "after, 95 %", |it| Cell::text(wilson(it.top1)))
        .count("top1_after_hits", "images", |it| it.top1.hits())
        .count("top1_after_of", "images", |it| it.top1.of()),
        number("attack", "reached", |it: &Attacked| match it.reached {
            rate if rate.of() == 0 => Cell::Missing,
            rate => Cell::text(format!("{}/{}", rate.hits(), rate.of())),
        })
        .shown_if(any(|run| run.reached.is_some())),
        data_only()
            .number("attack", "% before", |it: &Attacked| {
                Cell::number(percent(it.success_before), 1)
            })
            .number("attack", "% after", |it| {
                Cell::number(percent(it.success_after), 1)
            })
            .share("success_before", |it| it.success_before.value())
            .share("success_after", |it| it.success_after.value())
            .shown_if(any(|run| run.success_after.is_some())),
    ]
}
