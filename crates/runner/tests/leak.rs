//! A part of each set leaks to the attacker: steps of their own, and counts of what leaked beside those of the rest.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use common::Place;
use serde_json::Value;

const GRID: &str = "\
name: leaks
title: A leak
reports: [verdicts, attacks]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 100
generators:
  - bracketed: {samples: 6}
  - bracketed: {samples: 7, label_space: head}
attacks:
  - finetune: {lr: 1e-3, steps: 3, batch: 20}
  - finetune: {lr: 1e-3, steps: 3, batch: 20, hold: {share: 0.3, steps: 30}}
sample_sets: 2
attack_seeds: 1
";

/// A target, four sets, a run of each set after either attack.
const STEPS: usize = 1 + 4 + 2 * 4;

fn runs(place: &Place) -> Vec<Value> {
    let records = place.records().into_iter().map(|(_, record)| record);
    records
        .filter(|record| !record["attack"].is_null())
        .collect()
}

#[test]
fn what_leaked_and_what_did_not_make_the_set() {
    let place = Place::new(GRID);
    place.succeed(&["grid.yaml"]);
    assert_eq!(place.records().len(), STEPS);
    let (knowing, others): (Vec<_>, Vec<_>) = runs(&place)
        .into_iter()
        .partition(|run| !run["spec"]["hold"].is_null());
    assert_eq!((knowing.len(), others.len()), (4, 4));
    assert!(others.iter().all(|run| run["leaked"].is_null()));
    for run in &knowing {
        let of = |count: &Value| count["of"].as_u64().unwrap();
        let (fresh, leaked) = (of(&run["pair"]), of(&run["leaked"]["pair"]));
        // 0.3 of 6 and of 7 pairs, rounded.
        assert_eq!(leaked, 2, "{run}");
        assert!([4, 5].contains(&fresh), "{run}");
        assert_eq!(of(&run["single"]), 2 * fresh);
        assert_eq!(of(&run["leaked"]["single"]), 2 * leaked);
        assert_eq!(run["steps"], 33);
        if !run["classes"].is_null() {
            assert_eq!(of(&run["classes"]["pair"]), fresh);
        }
    }
    // A model for each set, and one for all sets without a leak.
    let models = |runs: &[Value]| -> BTreeSet<String> {
        let changes = runs.iter().map(|run| run["change"].to_string());
        changes.collect()
    };
    assert_eq!((models(&knowing).len(), models(&others).len()), (4, 1));
    place.succeed(&["check", "grid.yaml"]);

    let table = fs::read_to_string(place.results().join("leaks/verdicts.md")).unwrap();
    assert!(table.contains("leaked pairs"), "{table}");
    let table = fs::read_to_string(place.results().join("leaks/attacks.md")).unwrap();
    let note = "Where pairs leaked to the attacker, counts are of the others.";
    assert!(table.contains(note), "{table}");

    // A name selects one run, whose attack is its own.
    let only = "*/bracketed/label_space=classes/set1/finetune/hold*";
    let part = Place::new(GRID);
    let names = part.succeed(&["plan", "grid.yaml"]).stdout;
    part.succeed(&["grid.yaml", "--only", only]);
    assert_eq!(runs(&part).len(), 1, "{names}");
    assert!(knowing.contains(&runs(&part)[0]));
}

#[test]
fn killed_while_it_holds_outputs_it_goes_on_to_the_same_records() {
    let undisturbed = Place::new(GRID);
    undisturbed.succeed(&["grid.yaml"]);
    let place = Place::new(GRID);
    let first = ["grid.yaml", "--only", "*/finetune/seed0"];
    let rest = ["grid.yaml", "--save-every", "1"];
    place.run(&first);
    let mut command = place.command(&rest);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // All targets, sets and other attacks have their records, so a state is that of a forger. Some of its steps are done by then.
    let mut seen = 0;
    while seen < 3 {
        assert_eq!(child.try_wait().unwrap(), None, "it was not killed in time");
        seen += place.states();
        sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    place.succeed(&["grid.yaml"]);
    assert_eq!(place.records(), undisturbed.records());
    assert_eq!(place.states(), 0);
}
