//! Does the steps of a plan that have no record yet, in order: each target, its sets, then attack after attack and the probes.

mod attack;
mod drive;
mod failures;
mod images;
mod prepared;
mod probe;
mod sets;
mod slice;
mod target;

use std::rc::Rc;

use anyhow::Context;
use candle_core::Device;
use data::Dataset;
use spec::Stream;
use spec::checked::Minority;
use store::Store;
use verify::SecretKey;

use crate::plan::{self, Paths, Plan, TargetStep};
use crate::progress::Progress;
use crate::signal::Signal;

pub use drive::Saving;
pub use failures::Failures;
pub use target::initial;

/// What every step needs.
pub struct Executor<'a> {
    /// Where records go.
    pub store: &'a Store,
    /// Where tensors live.
    pub device: &'a Device,
    /// The owner's secret.
    pub key: &'a SecretKey,
    /// How balanced its heads must be.
    pub head_balance: Option<Minority>,
    /// Where things are.
    pub paths: &'a Paths,
    /// The stream of the grid's seed.
    pub root: Stream,
    /// The grid's seed.
    pub seed: u64,
    /// Whether somebody wants the process to end.
    pub signal: Signal,
    /// When to save the state of a step in flight.
    pub saving: Saving,
}

impl Executor<'_> {
    /// Does what is missing of `part` of the plan `whole`, and what can be done of it when a step fails.
    ///
    /// # Errors
    /// If there is no going on, e.g. because the disk is full.
    pub fn execute(&self, part: &Plan, whole: &Plan) -> anyhow::Result<Failures> {
        for attack in whole.targets.iter().flat_map(|step| &step.attacks) {
            // A process may have been killed between an attack's last record and the end of its state.
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
                "not run, as images or weights are not here: {}; the tables say how to get them",
                left_out.join("; ")
            ));
        }
        let mut failures = Failures::default();
        let mut dataset: Option<Rc<Dataset>> = None;
        for step in todo {
            let wanted = step.target.dataset;
            let images = match dataset.take() {
                Some(images) if images.info.id == wanted => images,
                _ => {
                    let images = data::open(wanted, self.paths.data.as_deref());
                    let images = images.with_context(|| step.name.clone());
                    let Some(images) = failures.tolerate(images, &progress)? else {
                        continue;
                    };
                    Rc::new(images)
                }
            };
            dataset = Some(images.clone());
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

    /// How many steps of a target are missing, each modification of it counted once.
    fn missing(&self, step: &TargetStep) -> anyhow::Result<usize> {
        let mut missing = usize::from(self.store.target(&step.id)?.is_none());
        for set in &step.sets {
            missing += usize::from(self.store.set(&set.id)?.is_none());
        }
        for attack in &step.attacks {
            missing += usize::from(!self.missing_runs(&attack.runs)?.is_empty());
        }
        let probes = step.probes.iter().map(|probe| probe.id);
        for id in probes.chain(step.slice.as_ref().map(|slice| slice.id)) {
            missing += usize::from(self.store.probe(&id)?.is_none());
        }
        Ok(missing)
    }
}
