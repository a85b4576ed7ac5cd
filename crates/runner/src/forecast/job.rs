//! Steps that are to do, as work of some kind and amount.

use std::collections::HashSet;

use brink_store::{Id, Store};
use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::{self, SetStep, TargetStep};

/// A step to do, or the missing runs of one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name in the plan.
    pub name: String,
    /// How many steps it is.
    pub steps: usize,
    /// Its kind: work of one kind goes at one rate.
    pub kind: String,
    /// Its amount.
    pub amount: f64,
    /// Whether it may end before its last iteration.
    pub may_end_early: bool,
}

/// The jobs of a target that have no record yet, in the order of execution. Without a store there are no records.
///
/// # Errors
/// If a record cannot be read.
pub fn open(step: &TargetStep, store: Option<&Store>) -> anyhow::Result<Vec<Job>> {
    let target = serde_json::to_value(&step.target)?;
    let job = |name: &str, steps, (what, of): (&str, &str), amount| Job {
        name: name.to_owned(),
        steps,
        kind: kind(&target, what, of),
        amount,
        may_end_early: false,
    };
    let mut missing = HashSet::new();
    for step in step.steps() {
        if !step.is_done(store)? {
            missing.insert(step.id);
        }
    }
    let misses = |id: &Id| missing.contains(id);

    let mut jobs = Vec::new();
    if misses(&step.id) {
        let epochs = step
            .target
            .train
            .as_ref()
            .map_or(0.0, |train| train.epochs.get() as f64);
        let images = step.target.train_images(step.facts.train);
        let (what, amount) = training(epochs, images as f64);
        jobs.push(job(&step.name, 1, (what, ""), amount));
    }
    for set in step.sets.iter().filter(|set| misses(&set.id)) {
        let (amount, iterates) = samples(set)?;
        jobs.push(Job {
            may_end_early: iterates,
            ..job(&set.name, 1, ("set", set.generator.name()), amount)
        });
    }
    for attack in &step.attacks {
        let runs = attack.runs.iter().filter(|run| misses(&run.id)).count();
        if runs > 0 {
            let kind = ("attack", attack.attack.name());
            jobs.push(job(&attack.name, runs, kind, 1.0));
        }
    }
    for probe in step.probes.iter().filter(|probe| misses(&probe.id)) {
        let amount = amount(&plan::fields(&probe.probe)?);
        let kind = ("probe", probe.probe.name());
        jobs.push(job(&probe.name, 1, kind, amount));
    }
    if let Some(slice) = step.slice.iter().find(|slice| misses(&slice.id)) {
        let amount = amount(&json!(slice.slice));
        jobs.push(job(&slice.name, 1, ("probe", "slice"), amount));
    }
    Ok(jobs)
}

/// The kind of `what` done for a target of this specification.
pub fn kind(target: &Value, what: &str, of: &str) -> String {
    let [dataset, model, width] = ["dataset", "model", "width"].map(|field| &target[field]);
    format!("{what} {of} for {dataset}, {model}, {width}")
}

/// Reading weights, or training on so many images.
pub fn training(epochs: f64, images: f64) -> (&'static str, f64) {
    match epochs > 0.0 {
        true => ("training", epochs * images),
        false => ("reading", 1.0),
    }
}

/// The samples of a set, times their iterations if it has a stage 1 that iterates.
fn samples(set: &SetStep) -> anyhow::Result<(f64, bool)> {
    let fields = plan::fields(&set.generator)?;
    let samples = fields["samples"].as_f64().unwrap_or(1.0);
    let iterations = fields["stage1"]["iterations"].as_f64();
    Ok((samples * iterations.unwrap_or(1.0), iterations.is_some()))
}

/// The amount of a probe: the product of its counts.
pub fn amount(spec: &impl Serialize) -> f64 {
    let spec = json!(spec);
    let count = |field: &str| spec[field].as_f64().unwrap_or(1.0);
    // A slice is a square.
    count("samples") * count("iterations") * count("side").powi(2)
}
