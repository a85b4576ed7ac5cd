//! The ids of all steps of the committed grids. Committed records are found by their ids, so a changed id loses results.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::Place;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The snapshot has, for each target, its id, the number of its steps, and a checksum of their kinds and ids.
#[test]
fn no_step_of_a_committed_grid_has_another_id() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut grids: Vec<_> = fs::read_dir(configs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file()) // folders hold included files
        // The ids of these depend on their readers' images and networks.
        .filter(|path| !path.ends_with("own.yaml") && !path.ends_with("onnx.yaml"))
        .collect();
    grids.sort();
    assert!(!grids.is_empty());
    let place = Place::new("");
    let mut all = String::new();
    for grid in &grids {
        for scale in ["desk", "paper"] {
            let name = grid.file_stem().unwrap().to_str().unwrap();
            let grid = grid.to_str().unwrap();
            let plan = place.succeed(&["plan", grid, "--scale", scale, "--json"]);
            let plan = serde_json::from_str(&plan.stdout).unwrap();
            writeln!(all, "{name} {scale}").unwrap();
            for (target, lines) in targets(&plan) {
                let sum = Sha256::digest(lines.join("\n"));
                let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(all, "  {target}: {} steps, {sum}", lines.len()).unwrap();
            }
        }
    }
    insta::assert_snapshot!(all);
}

/// The steps of a plan, each as `kind id`, by target.
fn targets(plan: &Value) -> Vec<(String, Vec<String>)> {
    let mut targets: Vec<(String, Vec<String>)> = Vec::new();
    for step in plan["steps"].as_array().unwrap() {
        let [kind, id] = ["kind", "id"].map(|field| step[field].as_str().unwrap());
        if kind == "target" {
            targets.push((id.to_owned(), Vec::new()));
        }
        let (_, lines) = targets.last_mut().expect("a target comes first");
        lines.push(format!("{kind} {id}"));
    }
    targets
}
