//! Checks the records of a plan: their checksums, contradictions between records, and contradictions to the grid.

use std::fmt::Debug;
use std::path::Path;

use brink_config::checked::Minority;
use brink_store::{ProbeRecord, Record, RunRecord, SetRecord, Store, TargetRecord};
use brink_verify::{Pixels, SecretKey, SensitiveSet};
use serde_json::{Value, json};

use crate::grid::{Sha256, Target};
use crate::plan::{self, AttackStep, Plan, ProbeStep, RunStep, SetStep, SliceStep, TargetStep};
use crate::session::Session;

/// The result of [`examine`].
#[derive(Default)]
pub struct Examined {
    /// The number of steps that have a record.
    pub records: usize,
    /// The number of records without a checksum, which an older version wrote.
    pub without_checksum: usize,
    /// Bad records in the order of the plan. Each is one line that names the file and the fix.
    pub problems: Vec<String>,
    /// Missing records that other records depend on, each in one line. A run makes them again.
    pub orphans: Vec<String>,
}

/// `Err` says what is wrong with a record.
type Holds = Result<(), String>;

/// Checks all existing records of `part`.
pub fn examine(session: &Session, part: &Plan, store: &Store) -> Examined {
    let mut found = Examined::default();
    let grid = Facts {
        seed: session.grid.seed,
        head_balance: session.grid.head_balance,
    };
    for step in &part.targets {
        let target =
            found.read::<TargetRecord>(store, &step.id, |record| grid.target(record, step));
        let records = found.records;
        for set in &step.sets {
            let known = found.read::<SetRecord>(store, &set.id, |record| {
                grid.set(record, step, set)?;
                target.as_ref().map_or(Ok(()), |target| record.fits(target))
            });
            let before = found.records;
            let attacks = step.attacks.iter();
            let runs = attacks.flat_map(|attack| attack.runs.iter().map(move |run| (attack, run)));
            for (attack, run) in runs.filter(|(_, run)| run.set == set.id) {
                found.read::<RunRecord>(store, &run.id, |record| {
                    grid.run(record, step, set, attack, run)?;
                    match (&known, &target) {
                        (Some(set), Some(target)) => record.fits(set, target),
                        _ => Ok(()),
                    }
                });
            }
            found.miss::<SetRecord>(store, &set.id, found.records - before);
        }
        let fits = |record: &ProbeRecord| match &target {
            Some(target) => record.fits(target),
            None => Ok(()),
        };
        for probe in &step.probes {
            found.read::<ProbeRecord>(store, &probe.id, |record| {
                grid.probe(record, step, probe)?;
                fits(record)
            });
        }
        if let Some(slice) = &step.slice {
            found.read::<ProbeRecord>(store, &slice.id, |record| {
                grid.slice(record, step, slice)?;
                fits(record)
            });
        }
        found.miss::<TargetRecord>(store, &step.id, found.records - records);
    }
    found
}

impl Examined {
    /// The record of step `id`, if it exists and `check` accepts it. Notes every problem.
    fn read<R: Record>(
        &mut self,
        store: &Store,
        id: &brink_store::Id,
        check: impl FnOnce(&R) -> Holds,
    ) -> Option<R> {
        let (record, has_checksum) = match store.read_with_checksum::<R>(id) {
            Ok(read) => read?,
            Err(error) => {
                self.records += 1;
                self.problems
                    .push(format!("{:#}", anyhow::Error::from(error)));
                return None;
            }
        };
        self.records += 1;
        self.without_checksum += usize::from(!has_checksum);
        let Err(what) = check(&record) else {
            return Some(record);
        };
        self.problems.push(format!(
            "{}: {what}; it was edited or copied, or an older version made it: delete it and run the grid again; only this step is repeated",
            store.record_path::<R>(id).display()
        ));
        None
    }

    /// Notes that the record of `id` is gone, if `needed_by` other records depend on it.
    fn miss<R: Record>(&mut self, store: &Store, id: &brink_store::Id, needed_by: usize) {
        let path = store.record_path::<R>(id);
        if needed_by > 0 && !path.exists() {
            self.orphans.push(format!(
                "{} is gone, but {needed_by} records depend on it; run the grid to make it again",
                path.display()
            ));
        }
    }

    /// As [`Examined::require`], but refuses missing records, too.
    ///
    /// # Errors
    /// As [`Examined::require`].
    pub fn require_whole(mut self) -> anyhow::Result<()> {
        self.problems.append(&mut self.orphans);
        self.require()
    }

    /// Refuses bad records.
    ///
    /// # Errors
    /// If there is a bad record. The message lists the first few.
    pub fn require(self) -> anyhow::Result<()> {
        const SHOWN: usize = 5;
        let Some(first) = self.problems.first() else {
            return Ok(());
        };
        if self.problems.len() == 1 {
            anyhow::bail!("{first}");
        }
        let lines = self.problems.iter().take(SHOWN);
        let mut text: String = lines.map(|problem| format!("\n  {problem}")).collect();
        if let Some(more) = self.problems.len().checked_sub(SHOWN).filter(|n| *n > 0) {
            text += &format!("\n  and {more} more, which `runner check` lists");
        }
        anyhow::bail!(
            "{} records are not what was computed{text}",
            self.problems.len()
        )
    }
}

/// The settings of the grid that its records must repeat.
struct Facts {
    seed: u64,
    head_balance: Option<Minority>,
}

impl Facts {
    fn target(&self, record: &TargetRecord, step: &TargetStep) -> Holds {
        let facts = &step.facts;
        same("dataset", record.dataset.as_str(), facts.name.as_str())?;
        same("model", record.model.as_str(), step.target.model.name())?;
        same("classes", record.classes, facts.classes)?;
        same("input", record.input, facts.shape)?;
        same("seed", record.seed, self.seed)?;
        let target: Target = settings(&record.spec)?;
        let head = |target: &Target| target.init.as_ref().and_then(|init| init.head);
        let equal = target.itself() == step.target.itself() && head(&target) == head(&step.target);
        alike(equal, &record.spec, &json!(step.target))
    }

    fn set(&self, record: &SetRecord, step: &TargetStep, set: &SetStep) -> Holds {
        same("target", record.target, step.id)?;
        same("generator", record.generator.as_str(), set.generator.name())?;
        same("seed", record.seed, set.seed)?;
        same("layout", record.layout, set.generator.generator().layout())?;
        // Records of format 1 may be older than this field.
        if record.format > 1 || record.head_balance.is_some() {
            let planned = self.head_balance.map(Minority::get);
            same("head_balance", record.head_balance, planned)?;
        }
        let generator: brink_generators::Spec =
            settings(&json!({ set.generator.name(): record.spec }))?;
        alike(
            generator == set.generator,
            &record.spec,
            &fields(&set.generator),
        )
    }

    fn run(
        &self,
        record: &RunRecord,
        step: &TargetStep,
        set: &SetStep,
        attack: &AttackStep,
        run: &RunStep,
    ) -> Holds {
        same("target", record.target, step.id)?;
        same("set", record.set, run.set)?;
        same("generator", record.generator.as_str(), set.generator.name())?;
        same("attack", record.attack.as_str(), attack.attack.name())?;
        same("seed", record.seed, attack.seed)?;
        let found: brink_attacks::Spec = settings(&json!({ attack.attack.name(): record.spec }))?;
        alike(
            found == attack.attack,
            &record.spec,
            &fields(&attack.attack),
        )
    }

    fn probe(&self, record: &ProbeRecord, step: &TargetStep, probe: &ProbeStep) -> Holds {
        same("target", record.target, step.id)?;
        same("probe", record.probe.as_str(), probe.probe.name())?;
        same("seed", record.seed, self.seed)?;
        let found: brink_generators::probe::Spec =
            settings(&json!({ probe.probe.name(): record.spec }))?;
        alike(found == probe.probe, &record.spec, &fields(&probe.probe))
    }

    fn slice(&self, record: &ProbeRecord, step: &TargetStep, slice: &SliceStep) -> Holds {
        same("target", record.target, step.id)?;
        same("probe", record.probe.as_str(), "slice")?;
        same("seed", record.seed, self.seed)?;
        let found: crate::grid::Slice = settings(&record.spec)?;
        alike(found == slice.slice, &record.spec, &json!(slice.slice))
    }
}

fn same<T: PartialEq + Debug>(field: &str, found: T, planned: T) -> Holds {
    match found == planned {
        true => Ok(()),
        false => Err(format!("`{field}` is {found:?}, the grid says {planned:?}")),
    }
}

fn as_recorded<T: PartialEq + Debug>(what: &str, found: T, recorded: T) -> Holds {
    match found == recorded {
        true => Ok(()),
        false => Err(format!(
            "its {what} is {found:?}, its record says {recorded:?}"
        )),
    }
}

/// The settings in a record. Newer fields get their defaults.
fn settings<T: serde::de::DeserializeOwned>(spec: &Value) -> Result<T, String> {
    serde_json::from_value(spec.clone()).map_err(|problem| format!("`spec`: {problem}"))
}

fn alike(equal: bool, found: &Value, planned: &Value) -> Holds {
    match equal {
        true => Ok(()),
        false => Err(format!("`spec` is {found}, the grid says {planned}")),
    }
}

fn fields(spec: &impl serde::Serialize) -> Value {
    plan::fields(spec).unwrap_or_default()
}

/// Reads the samples of `record` from the file `path`. They must match the record, its checksum and the seal of `key`.
/// Samples of an older version have neither checksum nor seal. `classes` is the number of logits of their model.
///
/// # Errors
/// The first mismatch.
pub fn samples_at(
    path: &Path,
    record: &SetRecord,
    key: &SecretKey,
    classes: usize,
) -> Result<SensitiveSet, String> {
    let set = match &record.samples_sha256 {
        Some(sum) => {
            checksum(path, sum)?;
            SensitiveSet::load(path, key)
        }
        None => SensitiveSet::load_unsealed(path, classes),
    };
    // The cause alone, because the caller adds the name of the file.
    let cause = |error: brink_verify::Error| match std::error::Error::source(&error) {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    };
    let set = set.map_err(cause)?;
    as_recorded("generator", set.generator.as_str(), &record.generator)?;
    as_recorded("layout", set.layout, record.layout)?;
    as_recorded("label space", set.label_space, record.label_space)?;
    as_recorded("number of samples", set.samples() as u64, record.made)?;
    let mut balance = vec![0; set.label_space.labels(set.classes)];
    for label in &set.labels {
        balance[*label as usize] += 1;
    }
    as_recorded("label balance", &balance, &record.label_balance)?;
    if let Some(pixels) = record.pixels {
        as_recorded("pixels", Pixels::of(&set), pixels)?;
    }
    Ok(set)
}

/// Checks that the file `path` has the SHA-256 `recorded`.
///
/// # Errors
/// If the SHA-256 differs, or the file cannot be read.
pub fn checksum(path: &Path, recorded: &str) -> Holds {
    let found = Sha256::of_file(path).map_err(|error| error.to_string())?;
    as_recorded("SHA-256", found.as_str(), recorded)
}
