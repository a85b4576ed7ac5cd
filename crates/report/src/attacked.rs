//! What an attack did to its models.

use store::RunRecord;
use verify::Rate;

/// The models of one setting, one run a seed.
pub struct Attacked {
    /// The share of weights whose 32 bits differ, mean over models.
    pub changed: f64,
    /// The mean absolute change of a weight, mean over models.
    pub mean_abs: f64,
    /// The largest absolute change of all.
    pub max_abs: f64,
    /// Top-1 before, counts of all models together.
    pub before: Rate,
    /// Top-1 after, counts of all models together.
    pub after: Rate,
    /// Top-1 after, the mean over models on the images of one: they were asked about the same ones, and more models are no more images.
    pub top1: Rate,
    /// The models in which the attacker reached what they work for, of those with such an aim.
    pub reached: Rate,
    /// How often the model did what the attacker wants on images it had not seen, before.
    pub success_before: Rate,
    /// And after.
    pub success_after: Rate,
}

impl Attacked {
    /// Of these models.
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
