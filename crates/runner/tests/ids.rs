//! The ids of all steps of the committed grids. Committed records are found by their ids, so a changed id loses results.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::Place;
use sha2::{Digest, Sha256};

/// The snapshot has, for each target, its id, the number of its steps, and a checksum of their kinds and ids.
#[test]
fn no_step_of_a_committed_grid_has_another_id() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut grids: Vec<_> = fs::read_dir(configs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file()) // folders hold included files
        .filter(|path| !path.ends_with("own.yaml")) // its ids depend on its reader's images
        .collect();
    grids.sort();
    assert!(!grids.is_empty());
    let place = Place::new("");
    let mut all = String::new();
    for grid in &grids {
        for scale in ["desk", "paper"] {
            let name = grid.file_stem().unwrap().to_str().unwrap();
            let plan = place.succeed(&["plan", grid.to_str().unwrap(), "--scale", scale]);
            writeln!(all, "{name} {scale}").unwrap();
            for (target, lines) in targets(&plan.stdout) {
                let sum = Sha256::digest(lines.join("\n"));
                let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(all, "  {target}: {} steps, {sum}", lines.len()).unwrap();
            }
        }
    }
    insta::assert_snapshot!(all);
}

/// The steps of a plan, each as `kind id`, by target.
fn targets(plan: &str) -> Vec<(String, Vec<String>)> {
    let mut targets: Vec<(String, Vec<String>)> = Vec::new();
    for line in plan.lines() {
        let (state, step) = line.split_at("not run".len());
        let words: Vec<&str> = step.split_whitespace().collect();
        let &[kind, id, ..] = words.as_slice() else {
            panic!("not a step: {line}");
        };
        if state == "not run" && !["target", "set", "run", "probe"].contains(&kind) {
            continue; // the reason why the target is not run
        }
        if kind == "target" {
            targets.push((id.to_owned(), Vec::new()));
        }
        let (_, lines) = targets.last_mut().expect("a target comes first");
        lines.push(format!("{kind} {id}"));
    }
    targets
}
