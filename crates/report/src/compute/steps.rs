//! The steps that the numbers of a page rest on.

use std::collections::BTreeMap;

use brink_store::Id;
use brink_store::Provenance;
use serde_json::{Value, json};

use super::target::network;
use crate::records::Records;

/// The steps of some records, as JSON for the page.
pub fn steps(records: &Records) -> BTreeMap<Id, Value> {
    let targets = records.targets.iter().map(|record| {
        let network = network(records, record);
        let name = format!("{}, {network}", record.dataset_title);
        let step = step(
            "target",
            &name,
            record.seed,
            &record.spec,
            &record.provenance,
        );
        (record.id, step)
    });
    let sets = records.sets.iter().map(|record| {
        let step = step(
            "samples",
            &record.generator,
            record.seed,
            &record.spec,
            &record.provenance,
        );
        (record.id, step)
    });
    // The sources tell the attack's specification.
    let runs = records.runs.iter().map(|record| {
        let mut step = step(
            "run",
            &record.attack,
            record.seed,
            &Value::Null,
            &record.provenance,
        );
        step["samples asked"] = json!(record.set);
        step["single"] = json!(record.single.to_string());
        step["pair"] = json!(record.pair.to_string());
        (record.id, step)
    });
    let probes = records.probes.iter().map(|record| {
        let step = step(
            "probe",
            &record.probe,
            record.seed,
            &record.spec,
            &record.provenance,
        );
        (record.id, step)
    });
    let steps = targets.chain(sets).chain(runs).chain(probes);
    steps.collect()
}

fn step(kind: &str, name: &str, seed: u64, spec: &Value, how: &Provenance) -> Value {
    let machine = format!("{}, {} on {} threads", how.device, how.cpu, how.threads);
    let version = match &how.git {
        Some(git) => format!("{} ({git})", how.brink),
        None => how.brink.clone(),
    };
    let mut step = json!({
        "kind": kind,
        "name": name,
        "seed": seed,
        "machine": machine,
        "brink": version,
        "started": how.started,
        "seconds": how.seconds,
    });
    if !spec.is_null() {
        step["specification"] = spec.clone();
    }
    step
}
