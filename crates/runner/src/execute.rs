//! Runs the steps of a plan that have no record yet. For each target, it runs the target, its sets, its attacks, its
//! probes and its slice, in this order.

mod attack;
mod deployed;
mod drive;
mod failures;
mod images;
mod prepared;
mod probe;
mod program;
mod sets;
mod slice;
mod target;

use std::rc::Rc;

use anyhow::Context;
use brink_config::checked::Minority;
use brink_data::Dataset;
use brink_random::Stream;
use brink_store::Store;
use brink_verify::SecretKey;
use candle_core::Device;

use crate::grid::ImageSet;
use crate::plan::{self, Paths, Plan, TargetStep};
use crate::progress::Progress;
use crate::signal::Signal;

pub use drive::Saving;
pub use failures::Failures;
pub use target::initial;

/// The common inputs of all steps.
pub struct Executor<'a> {
    /// The store of records.
    pub store: &'a Store,
    /// The device of tensors.
    pub device: &'a Device,
    /// The owner's secret key.
    pub key: &'a SecretKey,
    /// The least share of noise images for each label of a keyed head, if heads must be balanced.
    pub head_balance: Option<Minority>,
    /// The paths of the inputs.
    pub paths: &'a Paths,
    /// The random stream of the grid's seed.
    pub root: Stream,
    /// The grid's seed.
    pub seed: u64,
    /// Whether the process should end.
    pub signal: Signal,
    /// When to save the state of a step in flight.
    pub saving: Saving,
}

impl Executor<'_> {
    /// Runs the missing steps of `part`, a part of the plan `whole`. If a step fails, the steps that do not need it still
    /// run. Returns the failures.
    ///
    /// # Errors
    /// If the work cannot continue, e.g. because the disk is full.
    pub fn execute(&self, part: &Plan, whole: &Plan) -> anyhow::Result<Failures> {
        for attack in whole.targets.iter().flat_map(|step| &step.attacks) {
            // A killed process may have written the last record of an attack, but not deleted its state.
            self.forget_if_done(attack)?;
        }
        let mut todo = Vec::new();
        let mut left_out = Vec::new();
        let mut steps = 0;
        for step in &part.targets {
            let missing = self.missing(step)?;
            if missing == 0 {
                continue;
            }
            match plan::missing_input(step, self.paths, Some(self.store)) {
                Some(missing_input) => left_out.push(missing_input.dataset_title),
                None => {
                    todo.push(step);
                    steps += missing;
                }
            }
        }
        let mut progress = Progress::new(steps, self.signal.clone());
        if !left_out.is_empty() {
            progress.warn(&format!(
                "not run, because images or weights are missing: {}; the tables say how to get them",
                left_out.join("; ")
            ));
        }
        let mut failures = Failures::default();
        let mut dataset: Option<(ImageSet, Rc<Dataset>)> = None;
        for step in todo {
            let wanted = &step.target.dataset;
            let images = match dataset.take() {
                Some((held, images)) if held == *wanted => images,
                _ => {
                    let images = self.images(step).with_context(|| step.name.clone());
                    let Some(images) = failures.tolerate(images, &progress)? else {
                        continue;
                    };
                    Rc::new(images)
                }
            };
            dataset = Some((wanted.clone(), images.clone()));
            let loaded = self.target(step, images, &mut progress);
            let Some(loaded) = failures.tolerate(loaded, &progress)? else {
                continue;
            };
            let sets = self.sets(step, &loaded, &mut progress, &mut failures)?;
            self.attacks(step, &loaded, &sets, &mut progress, &mut failures)?;
            self.probes(step, &loaded, &mut progress, &mut failures)?;
            let slice = self.slice(step, &loaded, &sets, &mut progress);
            failures.tolerate(slice, &progress)?;
        }
        progress.finish();
        Ok(failures)
    }

    /// All images of the data set of `step`.
    fn images(&self, step: &TargetStep) -> Result<Dataset, brink_data::Error> {
        match (&step.target.dataset, &step.own) {
            (ImageSet::Registered(id), _) => brink_data::open(*id, self.paths.data.as_deref()),
            (ImageSet::Own(_), Some(read)) => Ok(read.dataset.clone()),
            (ImageSet::Own(own), None) => {
                brink_data::open_own(own, self.paths.data.as_deref()).map(|set| set.dataset)
            }
        }
    }

    /// The number of missing steps of a target.
    fn missing(&self, step: &TargetStep) -> anyhow::Result<usize> {
        let mut missing = usize::from(self.store.target(&step.id)?.is_none());
        for set in &step.sets {
            missing += usize::from(self.store.set(&set.id)?.is_none());
        }
        for attack in &step.attacks {
            missing += self.missing_runs(&attack.runs)?.len();
        }
        let probes = step.probes.iter().map(|probe| probe.id);
        for id in probes.chain(step.slice.as_ref().map(|slice| slice.id)) {
            missing += usize::from(self.store.probe(&id)?.is_none());
        }
        Ok(missing)
    }
}
