//! Seconds for a unit of work, by the records of a results folder.

use std::collections::HashMap;

use brink_store::{Holds, Id, ProbeRecord, RunRecord, SetRecord, Store, TargetRecord};

use super::job::{self, kind};

/// The time and amount of measured work, by kind.
#[derive(Default)]
pub struct Rates(HashMap<String, (f64, f64)>);

impl Rates {
    /// The rates of all records of a store. Records that cannot be read, or whose target is gone, tell nothing.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub fn read(store: &Store) -> brink_store::Result<Self> {
        let (mut sets, mut runs, mut probes) = (Vec::new(), Vec::new(), Vec::new());
        let mut targets: HashMap<Id, TargetRecord> = HashMap::new();
        for entry in store.entries()? {
            match entry.holds {
                Holds::Target => {
                    let target = store.target(&entry.id).ok().flatten();
                    targets.extend(target.map(|target| (entry.id, target)));
                }
                Holds::Set => sets.extend(store.set(&entry.id).ok().flatten()),
                Holds::Run => runs.extend(store.run(&entry.id).ok().flatten()),
                Holds::Probe => probes.extend(store.probe(&entry.id).ok().flatten()),
                Holds::State | Holds::Remains => {}
            }
        }
        let mut rates = Self::default();
        for target in targets.values() {
            rates.learn_target(target);
        }
        for set in &sets {
            rates.learn_set(targets.get(&set.target), set);
        }
        rates.learn_runs(&targets, &runs);
        for probe in &probes {
            rates.learn_probe(targets.get(&probe.target), probe);
        }
        Ok(rates)
    }

    /// Seconds a unit, if any work of the kind is known.
    pub fn of(&self, kind: &str) -> Option<f64> {
        let (seconds, amount) = self.0.get(kind)?;
        (*amount > 0.0).then(|| seconds / amount)
    }

    /// Adds work of a kind.
    pub fn add(&mut self, kind: &str, seconds: f64, amount: f64) {
        let sum = self.0.entry(kind.to_owned()).or_default();
        sum.0 += seconds;
        sum.1 += amount;
    }

    fn learn_target(&mut self, record: &TargetRecord) {
        let (what, amount) = job::training(record.epochs, record.train_images as f64);
        let kind = kind(&record.spec, what, "");
        self.add(&kind, record.provenance.seconds, amount);
    }

    fn learn_set(&mut self, target: Option<&TargetRecord>, record: &SetRecord) {
        let Some(target) = target else { return };
        // Of a set that ended early, only the iterations that it took count.
        let iterated = record.iterations_cap > 0;
        let iterations = iterated.then_some(record.iterations_used.max(1) as f64);
        let amount = record.asked as f64 * iterations.unwrap_or(1.0);
        let kind = kind(&target.spec, "set", &record.generator);
        self.add(&kind, record.provenance.seconds, amount);
    }

    /// The runs of one attack are one job, and the last one tells its time.
    fn learn_runs(&mut self, targets: &HashMap<Id, TargetRecord>, runs: &[RunRecord]) {
        let mut attacks: HashMap<(Id, String, String, u64), f64> = HashMap::new();
        for run in runs {
            let key = (
                run.target,
                run.attack.clone(),
                run.spec.to_string(),
                run.seed,
            );
            let seconds = attacks.entry(key).or_default();
            *seconds = seconds.max(run.provenance.seconds);
        }
        for ((target, attack, _, _), seconds) in attacks {
            if let Some(target) = targets.get(&target) {
                self.add(&kind(&target.spec, "attack", &attack), seconds, 1.0);
            }
        }
    }

    fn learn_probe(&mut self, target: Option<&TargetRecord>, record: &ProbeRecord) {
        let Some(target) = target else { return };
        let amount = job::amount(&record.spec);
        let kind = kind(&target.spec, "probe", &record.probe);
        self.add(&kind, record.provenance.seconds, amount);
    }
}
