//! `run.json`, the journal: the provenance of all numbers of a grid.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Findings;
use crate::provenance::{self, Clock};

/// The version of the file format.
const FORMAT: u32 = 1;

impl Findings<'_> {
    /// Writes the journal, and returns its path. `clock` runs since the command began.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write_journal(&self, clock: &Clock) -> anyhow::Result<PathBuf> {
        let mut text = serde_json::to_vec_pretty(&self.journal(clock))?;
        text.push(b'\n');
        let path = self.session.folder().join("run.json");
        brink_store::write_atomically(&path, &text)?;
        Ok(path)
    }

    /// The content of the journal.
    pub(super) fn journal(&self, clock: &Clock) -> Value {
        let session = self.session;
        let not_run = self.not_run.iter().map(|missing| {
            json!({
                "target": missing.dataset_title,
                "reason": missing.reason,
                "command": missing.command,
            })
        });
        json!({
            "format": FORMAT,
            "grid": session.paths.config,
            "scale": session.scale,
            "command": clock.provenance(&session.device),
            "instruction_set": brink_ops::kernel::Isa::current().to_string(),
            "peak_memory_bytes": provenance::peak_memory(),
            "computing_memory_bytes": self.computing_memory(clock),
            "false_alarms": self.false_alarms(),
            "config": session.grid,
            "key": {
                "from": session.key_from,
                // Differs between two keys, but does not reveal a key.
                "check": session.key.check("run.json"),
            },
            "steps": self.steps(),
            "not_run": not_run.collect::<Vec<_>>(),
            "runs_to_do": self.records.open.len(),
        })
    }

    /// The peak memory of the last command that computed a step: this one, or an earlier one whose journal is still here.
    fn computing_memory(&self, clock: &Clock) -> Option<u64> {
        let records = &self.records;
        let targets = records.targets.iter().map(|record| &record.provenance);
        let sets = records.sets.iter().map(|record| &record.provenance);
        let runs = records.runs.iter().map(|record| &record.provenance);
        let probes = records.probes.iter().map(|record| &record.provenance);
        let mut all = targets.chain(sets).chain(runs).chain(probes);
        match all.any(|how| clock.is_before(&how.started)) {
            true => provenance::peak_memory(),
            false => self.session.recorded_memory(),
        }
    }

    /// The finished steps in the order of the plan: each with its id, its seed and its time.
    fn steps(&self) -> Vec<Value> {
        let records = &self.records;
        let targets = records
            .targets
            .iter()
            .map(|r| (r.id, (r.seed, &r.provenance)));
        let sets = records.sets.iter().map(|r| (r.id, (r.seed, &r.provenance)));
        let runs = records.runs.iter().map(|r| (r.id, (r.seed, &r.provenance)));
        let probes = records.probes.iter();
        let probes = probes.map(|r| (r.id, (r.seed, &r.provenance)));
        let done: BTreeMap<_, _> = targets.chain(sets).chain(runs).chain(probes).collect();
        let steps = self.session.plan.steps().filter_map(|step| {
            let (seed, how) = done.get(&step.id)?;
            Some(json!({
                "name": step.name,
                "kind": step.kind.name(),
                "id": step.id,
                "seed": seed,
                "started": how.started,
                "seconds": how.seconds,
            }))
        });
        steps.collect()
    }
}
