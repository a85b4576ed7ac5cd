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
use brink_models::device::Device;
use brink_random::Stream;
use brink_store::{Id, Store};
use brink_verify::SecretKey;

use crate::forecast::{self, Forecast, Rates};
use crate::grid::ImageSet;
use crate::plan::{self, Paths, Plan, TargetStep};
use crate::progress::Progress;
use crate::signal::Signal;

use prepared::PreparedSet;
use target::LoadedTarget;

pub use drive::Saving;
pub use failures::Failures;
pub use target::initial;

/// The common inputs of all steps.
pub struct Executor<'a> {
    /// The store of records.
    pub store: &'a Store,
    /// The device of frozen networks.
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
        let mut jobs = Vec::new();
        let mut left_out = 0;
        for step in &part.targets {
            let open = forecast::open(step, Some(self.store))?;
            if open.is_empty() {
                continue;
            }
            match plan::missing_input(step, self.paths, Some(self.store)) {
                Some(_) => left_out += 1,
                None => {
                    todo.push(step);
                    jobs.extend(open);
                }
            }
        }
        let rates = match jobs.is_empty() {
            true => Rates::default(),
            false => Rates::read(self.store)?,
        };
        let mut progress = Progress::new(Forecast::new(rates, jobs), self.signal.clone());
        if left_out > 0 {
            progress.tell(&without_data(left_out));
        }
        let mut failures = Failures::default();
        let mut bench = Bench::default();
        for step in todo {
            self.steps_of(step, &mut bench, &mut progress, &mut failures)?;
        }
        progress.finish();
        Ok(failures)
    }

    /// Runs the missing steps of `step`, a target or a part of it. What `bench` holds is not read again.
    ///
    /// # Errors
    /// If the work cannot continue.
    pub fn steps_of(
        &self,
        step: &TargetStep,
        bench: &mut Bench,
        progress: &mut Progress,
        failures: &mut Failures,
    ) -> anyhow::Result<()> {
        if bench.target.as_ref().is_none_or(|(id, _)| *id != step.id) {
            // Free the memory first.
            (bench.target, bench.sets) = (None, Vec::new());
            let images = self.images(step, bench).with_context(|| step.name.clone());
            let Some(images) = failures.tolerate(images, progress)? else {
                return Ok(());
            };
            let loaded = self.target(step, images, progress);
            let Some(loaded) = failures.tolerate(loaded, progress)? else {
                return Ok(());
            };
            bench.target = Some((step.id, loaded));
        }
        let Bench {
            target: Some((_, loaded)),
            sets,
            ..
        } = bench
        else {
            return Ok(());
        };
        self.sets(step, loaded, sets, progress, failures)?;
        self.attacks(step, loaded, sets, progress, failures)?;
        self.probes(step, loaded, progress, failures)?;
        let slice = self.slice(step, loaded, sets, progress);
        failures.tolerate(slice, progress)?;
        Ok(())
    }

    /// The images of the data set of `step`.
    fn images(&self, step: &TargetStep, bench: &mut Bench) -> anyhow::Result<Rc<Dataset>> {
        let wanted = &step.target.dataset;
        let images = match bench.dataset.take() {
            Some((held, images)) if held == *wanted => images,
            _ => Rc::new(self.read_images(step)?),
        };
        bench.dataset = Some((wanted.clone(), images.clone()));
        Ok(images)
    }

    fn read_images(&self, step: &TargetStep) -> Result<Dataset, brink_data::Error> {
        match (&step.target.dataset, &step.own) {
            (ImageSet::Registered(id), _) => brink_data::open(*id, self.paths.data.as_deref()),
            (ImageSet::Own(_), Some(read)) => Ok(read.dataset.clone()),
            (ImageSet::Own(own), None) => {
                brink_data::open_own(own, self.paths.data.as_deref()).map(|set| set.dataset)
            }
        }
    }
}

/// What stays in memory from one step to the next.
#[derive(Default)]
pub struct Bench {
    dataset: Option<(ImageSet, Rc<Dataset>)>,
    target: Option<(Id, LoadedTarget)>,
    /// The sets of that target.
    sets: Vec<PreparedSet>,
}

/// The line about targets without images or weights.
fn without_data(targets: usize) -> String {
    let who = match targets {
        1 => "1 target lacks its data and is left out".to_owned(),
        all => format!("{all} targets lack their data and are left out"),
    };
    format!("{who}; `runner plan` says what to get")
}
