//! The steps of a grid and their ids.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use anyhow::bail;
use brink_config::checked::{Minority, Repeats};
use brink_data::{Facts, Own, OwnSet, open_own};
use brink_generators::probe;
use brink_models::Model;
use brink_store::Id;
use brink_verify::{KeyCheck, Layout, SecretKey};
use serde::Serialize;

use super::absent::{self, Paths};
use super::{AttackStep, Plan, ProbeStep, RunStep, SetStep, SliceStep, TargetStep, WeightFile};
use super::{fits, label, network};
use crate::grid::{Grid, Head, ImageSet, Target};

/// Part of every id. Raise it when a change of the code changes the numbers of a grid.
const FORMAT: u32 = 1;

/// The inputs of a step. The scale and paths are not among them, only the values and files that they select.
#[derive(Serialize)]
struct Content<'a, S> {
    format: u32,
    step: &'static str,
    /// The steps that it depends on.
    on: &'a [Id],
    seed: u64,
    spec: S,
}

#[derive(Serialize)]
struct TargetContent<'a> {
    target: &'a Target,
    weights: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    /// The checksum of images of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<&'a str>,
    /// Always `cpu`: every device has the processor's bits.
    device: &'static str,
}

#[derive(Serialize)]
struct SetContent<'a> {
    generator: &'a brink_generators::Spec,
    key: KeyCheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_balance: Option<Minority>,
}

#[derive(Serialize)]
struct ProbeContent<'a> {
    probe: &'a probe::Spec,
    key: KeyCheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_balance: Option<Minority>,
}

fn id(step: &'static str, on: &[Id], seed: u64, spec: impl Serialize) -> anyhow::Result<Id> {
    let content = Content {
        format: FORMAT,
        step,
        on,
        seed,
        spec,
    };
    Ok(Id::of(&content)?)
}

/// The common inputs of all steps.
struct Common<'a> {
    grid: &'a Grid,
    key: &'a SecretKey,
}

impl Plan {
    /// The steps of a grid under `key`.
    ///
    /// # Errors
    /// If two entries of the grid are the same step, a target does not fit its data set, images of one's own cannot be used, or
    /// a weight file is missing or has another checksum.
    pub fn new(grid: &Grid, key: &SecretKey, paths: &Paths) -> anyhow::Result<Self> {
        let common = Common { grid, key };
        let mut plan = Self {
            targets: Vec::new(),
        };
        let mut read: Vec<(Own, Rc<OwnSet>)> = Vec::new();
        for (name, target) in grid.targets.iter() {
            let (facts, own) = match &target.dataset {
                ImageSet::Registered(id) => (id.info().facts(), None),
                ImageSet::Own(own) => {
                    let set = match read.iter().find(|(known, _)| known == own) {
                        Some((_, set)) => set.clone(),
                        None => {
                            let set = open_own(own, paths.data.as_deref()).map_err(|error| {
                                grid.error(&format!("targets.{name}.dataset"), error)
                            })?;
                            let set = Rc::new(set);
                            read.push((own.clone(), set.clone()));
                            set
                        }
                    };
                    (set.dataset.facts.clone(), Some(set))
                }
            };
            let at = |field: &str, error: anyhow::Error| {
                grid.error(&format!("targets.{name}.{field}"), format!("{error:#}"))
            };
            let (model, file) = network::open(target, &facts, paths).map_err(|e| at("model", e))?;
            fits::check(name, target, model, &facts, grid)?;
            let weights = absent::weights(target, paths).map_err(|e| at("init.weights", e))?;
            let files = (model, file.or(weights));
            let step = common.target(target, name.to_owned(), (facts, own), files);
            plan.targets.push(step?);
        }
        plan.require_distinct(grid)?;
        Ok(plan)
    }

    /// Refuses a plan in which two entries are the same step.
    fn require_distinct(&self, grid: &Grid) -> anyhow::Result<()> {
        let mut targets: HashMap<Id, &TargetStep> = HashMap::new();
        for step in &self.targets {
            let Some(twin) = targets.insert(step.id, step) else {
                continue;
            };
            let problem = match (&twin.weights, &step.weights) {
                _ if twin.target.generators != step.target.generators => format!(
                    "`{}` and `{}` are one target with different `generators`; make it one target with the generators of both",
                    twin.name, step.name
                ),
                (Some(one), Some(other)) if one.path != other.path => format!(
                    "{} and {} hold the same bytes, so `{}` and `{}` are one target; delete one of them",
                    one.path.display(),
                    other.path.display(),
                    twin.name,
                    step.name
                ),
                _ => format!(
                    "`{}` and `{}` are the same target; delete one of them",
                    twin.name, step.name
                ),
            };
            return Err(grid.error(&format!("targets.{}", step.name), problem));
        }
        let mut seen = HashSet::new();
        match self.steps().find(|step| !seen.insert(step.id)) {
            Some(step) => bail!(
                "{}: two entries are the same step `{}`, e.g. a number that is twice in a list; delete one of them",
                grid.name(),
                step.name
            ),
            None => Ok(()),
        }
    }
}

impl Common<'_> {
    fn target(
        &self,
        target: &Target,
        name: String,
        (facts, own): (Facts, Option<Rc<OwnSet>>),
        (model, weights): (Model, Option<WeightFile>),
    ) -> anyhow::Result<TargetStep> {
        let content = TargetContent {
            target: &target.itself(),
            weights: weights.as_ref().map(|file| file.sum.as_str()),
            head: target.init.as_ref().and_then(|init| init.head),
            images: own.as_ref().map(|own| own.sha256.as_str()),
            device: "cpu",
        };
        let id = id("target", &[], self.grid.seed, content)?;
        let generators = target.generators.as_ref();
        let generators = generators.unwrap_or(&self.grid.generators);
        let train = target.train_images(facts.train);
        let images = (train, facts.test);
        let sets = self.sets(id, &name, generators, images)?;
        let attacks = self.attacks(id, &name, train, &sets)?;
        let probes = self.probes(id, &name)?;
        let slice = self.slice(id, &sets)?;
        Ok(TargetStep {
            id,
            name,
            target: target.clone(),
            model,
            facts,
            own,
            weights,
            sets: sets.into_iter().map(|(set, _)| set).collect(),
            attacks,
            probes,
            slice,
        })
    }

    /// The slice of a target, through the first pair of its first set of pairs.
    fn slice(&self, target: Id, sets: &[(SetStep, String)]) -> anyhow::Result<Option<SliceStep>> {
        let pairs =
            |(set, _): &&(SetStep, String)| set.generator.generator().layout() == Layout::Pairs;
        let Some(((set, _), slice)) = sets.iter().find(pairs).zip(self.grid.slice.as_ref()) else {
            return Ok(None);
        };
        Ok(Some(SliceStep {
            id: id("slice", &[target, set.id], 0, slice)?,
            name: format!("{}/slice", set.name),
            slice: slice.clone(),
            set: set.id,
        }))
    }

    /// The probes of a target.
    fn probes(&self, target: Id, name: &str) -> anyhow::Result<Vec<ProbeStep>> {
        let probes = self.grid.probes();
        let key = self.key.check(&target.to_string());
        let step = |(probe, label): (&probe::Spec, String)| {
            Ok(ProbeStep {
                id: id(
                    "probe",
                    &[target],
                    0,
                    ProbeContent {
                        probe,
                        key,
                        head_balance: self.grid.head_balance,
                    },
                )?,
                name: format!("{name}/{label}"),
                probe: probe.clone(),
            })
        };
        probes
            .iter()
            .zip(label::entries(&probes, probe::Spec::name))
            .map(step)
            .collect()
    }

    /// The sets of a target, each with its label. `train` and `held_out` are the numbers of images.
    fn sets(
        &self,
        target: Id,
        name: &str,
        generators: &[brink_generators::Spec],
        (train, held_out): (usize, usize),
    ) -> anyhow::Result<Vec<(SetStep, String)>> {
        let key = self.key.check(&target.to_string());
        let mut sets = Vec::new();
        for (generator, label) in generators
            .iter()
            .zip(label::entries(generators, brink_generators::Spec::name))
        {
            let content = SetContent {
                generator,
                key,
                head_balance: self.grid.head_balance,
            };
            let count = match generator.generator().is_random(train, held_out) {
                true => self.grid.sample_sets,
                false => Repeats::literal(1),
            };
            for (seed, label) in label::seeded(&label, "set", count) {
                let set = SetStep {
                    id: id("set", &[target], seed, &content)?,
                    name: format!("{name}/{label}"),
                    generator: generator.clone(),
                    seed,
                };
                sets.push((set, label));
            }
        }
        Ok(sets)
    }

    /// The attacks on a target with `train` training images, each with one run per set. An attack with a leak depends on what leaked,
    /// so there is one for each set.
    fn attacks(
        &self,
        target: Id,
        name: &str,
        train: usize,
        sets: &[(SetStep, String)],
    ) -> anyhow::Result<Vec<AttackStep>> {
        let attacks = self.grid.attacks();
        let mut steps = Vec::new();
        for (attack, label) in attacks
            .iter()
            .zip(label::entries(&attacks, brink_attacks::Spec::name))
        {
            let seeds = match attack.attack().is_random(train) {
                true => self.grid.attack_seeds.get() as u64,
                false => 1,
            };
            let leaks = attack.attack().leaks().is_some();
            let known = match leaks {
                true => sets.chunks(1).collect(),
                false => vec![sets],
            };
            for (seed, sets) in (0..seeds).flat_map(|seed| known.iter().map(move |of| (seed, *of)))
            {
                let label = format!("{label}/seed{seed}");
                let mut on = vec![target];
                let mut whole = name.to_owned();
                for (set, of) in sets.iter().filter(|_| leaks) {
                    on.push(set.id);
                    whole += &format!("/{of}");
                }
                let modified = id("attack", &on, seed, attack)?;
                let run = |(set, of): &(SetStep, String)| {
                    Ok(RunStep {
                        id: id("run", &[modified, set.id], seed, ())?,
                        name: format!("{name}/{of}/{label}"),
                        set: set.id,
                    })
                };
                steps.push(AttackStep {
                    id: modified,
                    name: format!("{whole}/{label}"),
                    attack: attack.clone(),
                    seed,
                    runs: sets.iter().map(run).collect::<anyhow::Result<_>>()?,
                });
            }
        }
        Ok(steps)
    }
}
