//! From a grid to steps: each named by the hash of all that goes into it, so that equal work is done once and any change
//! to what goes in is new work.
//!
//! A target is trained (or read) once; its sample sets are made once; each attack modifies it once, and every set is asked
//! about the result: one run a set. What is measured about a target itself is a probe.

mod absent;
mod build;
mod fits;
mod label;
mod only;

use std::path::Path;

use generators::probe;
use serde::Serialize;
use serde_json::Value;
use spec::Id;
use store::Store;

pub use absent::{Paths, WeightFile, missing_input};

use crate::grid::{Slice, Target};

/// All steps of a grid.
#[derive(Clone)]
pub struct Plan {
    /// Its targets, with what depends on them.
    pub targets: Vec<TargetStep>,
}

/// A model to train or read.
#[derive(Clone)]
pub struct TargetStep {
    /// Hash of what goes in.
    pub id: Id,
    /// Its name in the grid, e.g. `cifar10-resnet18`.
    pub name: String,
    /// The target.
    pub target: Target,
    /// Its initial weights, if it has a file.
    pub weights: Option<WeightFile>,
    /// The sets made for it.
    pub sets: Vec<SetStep>,
    /// The modifications made to it.
    pub attacks: Vec<AttackStep>,
    /// What is measured about it.
    pub probes: Vec<ProbeStep>,
    /// The boundary around one of its pairs.
    pub slice: Option<SliceStep>,
}

/// A sample set to make.
#[derive(Clone)]
pub struct SetStep {
    /// Hash of what goes in.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours`.
    pub name: String,
    /// What makes it.
    pub generator: generators::Spec,
    /// Which of the grid's `sample_sets`.
    pub seed: u64,
}

/// A modification of a target, and the questions asked about the result.
#[derive(Clone)]
pub struct AttackStep {
    /// Hash of what goes in.
    pub id: Id,
    /// E.g. `cifar10-resnet18/finetune/lr=1e-10/seed0`.
    pub name: String,
    /// The modification.
    pub attack: attacks::Spec,
    /// Which of the grid's `attack_seeds`.
    pub seed: u64,
    /// One a set.
    pub runs: Vec<RunStep>,
}

/// One set asked about one modified model.
#[derive(Clone)]
pub struct RunStep {
    /// Hash of what goes in.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours/finetune/lr=1e-10/seed0`.
    pub name: String,
    /// The set.
    pub set: Id,
}

/// Something to measure about a target.
#[derive(Clone)]
pub struct ProbeStep {
    /// Hash of what goes in.
    pub id: Id,
    /// E.g. `cifar10-resnet18/timing/samples=150`.
    pub name: String,
    /// What is measured.
    pub probe: probe::Spec,
}

/// The boundary around a pair, before and after an attack.
#[derive(Clone)]
pub struct SliceStep {
    /// Hash of what goes in.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours/slice`.
    pub name: String,
    /// What is cut.
    pub slice: Slice,
    /// The set whose first pair it is.
    pub set: Id,
}

impl Plan {
    /// Every step that leaves a record, in the order of execution.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.targets.iter().flat_map(TargetStep::steps)
    }
}

impl TargetStep {
    /// The target, its sets, its runs and its probes.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let step = |kind, id, name| Step { kind, id, name };
        let sets = self.sets.iter();
        let sets = sets.map(move |set| step(Kind::Set, set.id, &set.name));
        let runs = self.attacks.iter().flat_map(|attack| &attack.runs);
        let runs = runs.map(move |run| step(Kind::Run, run.id, &run.name));
        let probes = self.probes.iter();
        let probes = probes.map(move |probe| step(Kind::Probe, probe.id, &probe.name));
        let slice = self.slice.iter();
        let slice = slice.map(move |slice| step(Kind::Probe, slice.id, &slice.name));
        let own = step(Kind::Target, self.id, &self.name);
        let rest = runs.chain(probes).chain(slice);
        std::iter::once(own).chain(sets).chain(rest)
    }

    /// The target in tables, with its name if that says more than its data set and model.
    pub fn title(&self) -> String {
        let title = self.target.title();
        let usual = format!("{}-{}", self.target.dataset, self.target.model);
        match self.name == usual {
            true => title,
            false => format!("{title} ({})", self.name),
        }
    }

    /// Whether a step of it has no record yet; without a store none has.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn is_open(&self, store: Option<&Store>) -> store::Result<bool> {
        for step in self.steps() {
            if !step.is_done(store)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What may have a state to go on from: the target, its sets, its attacks and its probes.
    pub fn jobs(&self) -> impl Iterator<Item = (Id, &str)> {
        let sets = self.sets.iter().map(|set| (set.id, set.name.as_str()));
        let attacks = self.attacks.iter();
        let attacks = attacks.map(|attack| (attack.id, attack.name.as_str()));
        let probes = self.probes.iter();
        let probes = probes.map(|probe| (probe.id, probe.name.as_str()));
        let own = (self.id, self.name.as_str());
        let slice = self.slice.iter();
        let slice = slice.map(|slice| (slice.id, slice.name.as_str()));
        let rest = attacks.chain(probes).chain(slice);
        std::iter::once(own).chain(sets).chain(rest)
    }
}

/// A step that leaves a record.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Of which kind.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: &'a str,
}

/// The kinds of records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model.
    Target,
    /// A sample set.
    Set,
    /// A verdict.
    Run,
    /// A measurement.
    Probe,
}

impl Kind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Set => "set",
            Self::Run => "run",
            Self::Probe => "probe",
        }
    }
}

impl Step<'_> {
    /// Whether it has its record; without a store none has.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn is_done(self, store: Option<&Store>) -> store::Result<bool> {
        let Some(store) = store else {
            return Ok(false);
        };
        match self.kind {
            Kind::Target => store.target(&self.id).map(|record| record.is_some()),
            Kind::Set => store.set(&self.id).map(|record| record.is_some()),
            Kind::Run => store.run(&self.id).map(|record| record.is_some()),
            Kind::Probe => store.probe(&self.id).map(|record| record.is_some()),
        }
    }
}

/// How the file at `path`, weights or samples beside their record, is had again.
pub fn made_again(path: &Path) -> String {
    let record = path.with_file_name("record.json");
    format!(
        "delete its record, {}, to have it made again",
        record.display()
    )
}

/// The fields of a generator, an attack or a probe, without its name.
pub fn fields(spec: &impl Serialize) -> anyhow::Result<Value> {
    let tagged = serde_json::to_value(spec)?;
    match tagged {
        Value::Object(entry) => Ok(entry
            .into_iter()
            .next()
            .map_or(Value::Null, |(_, fields)| fields)),
        other => Ok(other),
    }
}
