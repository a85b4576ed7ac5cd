//! Turns a grid into steps. The id of a step is the hash of all its inputs. So equal work is done once, and a changed
//! input makes a new step.
//!
//! A target is trained, or read from a file, once. Its sample sets are made once. Each attack modifies the target once,
//! and a run tests the result with one sample set. A probe measures the target itself.

mod absent;
mod build;
mod fits;
mod label;
mod needs;
mod network;
mod only;

use std::path::Path;
use std::rc::Rc;

use brink_data::{Facts, OwnSet};
use brink_generators::probe;
use brink_models::Model;
use brink_store::Id;
use brink_store::Store;
use serde::Serialize;
use serde_json::Value;

pub use absent::{Paths, WeightFile, missing_input};

use crate::grid::{Slice, Target};

/// All steps of a grid.
#[derive(Clone)]
pub struct Plan {
    /// The targets, each with its sets, attacks and probes.
    pub targets: Vec<TargetStep>,
}

/// A model to train or read.
#[derive(Clone)]
pub struct TargetStep {
    /// The hash of its inputs.
    pub id: Id,
    /// Its name in the grid, e.g. `cifar10-resnet18`.
    pub name: String,
    /// The target.
    pub target: Target,
    /// Its network, with its width.
    pub model: Model,
    /// What is known of its data set.
    pub facts: Facts,
    /// Its images, if they are one's own.
    pub own: Option<Rc<OwnSet>>,
    /// The file of its initial weights, or of its network, if it has one.
    pub weights: Option<WeightFile>,
    /// Its sample sets.
    pub sets: Vec<SetStep>,
    /// The attacks on it.
    pub attacks: Vec<AttackStep>,
    /// Its probes.
    pub probes: Vec<ProbeStep>,
    /// The boundary around one of its pairs.
    pub slice: Option<SliceStep>,
}

/// A sample set to make.
#[derive(Clone)]
pub struct SetStep {
    /// The hash of its inputs.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours`.
    pub name: String,
    /// The generator that makes it.
    pub generator: brink_generators::Spec,
    /// Its number, from 0, of the grid's `sample_sets`.
    pub seed: u64,
}

/// An attack on a target, and the runs that test the result.
#[derive(Clone)]
pub struct AttackStep {
    /// The hash of its inputs.
    pub id: Id,
    /// E.g. `cifar10-resnet18/finetune/lr=1e-10/seed0`.
    pub name: String,
    /// The attack.
    pub attack: brink_attacks::Spec,
    /// Its number, from 0, of the grid's `attack_seeds`.
    pub seed: u64,
    /// One run per set.
    pub runs: Vec<RunStep>,
}

/// A test of one modified model with one sample set.
#[derive(Clone)]
pub struct RunStep {
    /// The hash of its inputs.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours/finetune/lr=1e-10/seed0`.
    pub name: String,
    /// The set.
    pub set: Id,
}

/// A measurement of a target.
#[derive(Clone)]
pub struct ProbeStep {
    /// The hash of its inputs.
    pub id: Id,
    /// E.g. `cifar10-resnet18/timing/samples=150`.
    pub name: String,
    /// The measurement.
    pub probe: probe::Spec,
}

/// The boundary around a pair, before and after an attack.
#[derive(Clone)]
pub struct SliceStep {
    /// The hash of its inputs.
    pub id: Id,
    /// E.g. `cifar10-resnet18/ours/slice`.
    pub name: String,
    /// The settings of the slice.
    pub slice: Slice,
    /// The set whose first pair it goes through.
    pub set: Id,
}

impl Plan {
    /// Every step that leaves a record, in the order of execution.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.targets.iter().flat_map(TargetStep::steps)
    }
}

impl TargetStep {
    /// Every step that leaves a record: the target, its sets, its runs, its probes and its slice.
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

    /// The title of the target in tables. It includes the name if the name is not the usual `dataset-model`.
    pub fn title(&self) -> String {
        let network = self.model.architecture().title;
        let title = self.target.title(&self.facts.title, network);
        let usual = format!("{}-{}", self.facts.name, self.model);
        match self.name == usual {
            true => title,
            false => format!("{title} ({})", self.name),
        }
    }

    /// Whether a step of the target has no record yet. Without a store there are no records.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn is_open(&self, store: Option<&Store>) -> brink_store::Result<bool> {
        for step in self.steps() {
            if !step.is_done(store)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The steps that may have a saved state: the target, its sets, its attacks, its probes and its slice.
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
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: &'a str,
}

/// A kind of record.
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
    /// Its name in messages.
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
    /// Whether the step has a record. Without a store there are no records.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn is_done(self, store: Option<&Store>) -> brink_store::Result<bool> {
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

/// The fix for a bad file at `path`, which holds weights or samples beside their record.
pub fn made_again(path: &Path) -> String {
    let record = path.with_file_name("record.json");
    format!("delete its record, {}, to make it again", record.display())
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
