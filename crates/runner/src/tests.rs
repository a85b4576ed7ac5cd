//! Tests of many grids. They run in this process, because a process per grid would take too long.

mod fuzz;
mod limits;
mod mutate;

use std::path::Path;

use brink_config::Scale;
use brink_config::schema::Shape;
use brink_generators::probe;
use brink_report::{Probe, REPORTS, Subject};

use crate::grid::Grid;
use crate::plan::{Paths, Plan};

/// A small grid with every kind of entry.
const GRID: &str = "\
name: mini
title: A miniature
reports: [table3]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 100
generators:
  - validset: {samples: 6}
  - dbi: {samples: 6, stage1: {iterations: 12}}
  - ours: {stage1: {iterations: 12}, stage2: {alpha: 0.01, iterations: 200}}
attacks:
  - identity
  - finetune: {lr: [0, 1e-5, 1e-3], steps: 3, batch: 20}
  - backdoor: {max_steps: 5}
probes:
  - timing: {samples: 4}
slice: {attack: identity}
attack_seeds: 2
presets:
  generators: {ours: {desk: {samples: 4}}}
desk: {seed: 7}
";

/// Plans the grid in `file`, as `runner plan` does.
fn plan(file: &Path, changes: &[String]) -> anyhow::Result<Plan> {
    let grid = Grid::read(file, Some(Scale::DESK), changes)?;
    let (key, _) = grid.key.in_force(&grid, None, None)?;
    let paths = Paths {
        config: file.to_owned(),
        data: None,
        rerun_command: String::new(),
    };
    Plan::new(&grid, &key, &paths)
}

/// Reports name attacks, their fields and probes without knowing their crates.
#[test]
fn reports_are_about_what_is_registered() {
    for entry in REPORTS {
        match entry.subject {
            Subject::Attack { name, variable } => {
                let attack = brink_attacks::REGISTRY
                    .iter()
                    .find(|attack| attack.name == name);
                let shape = (attack.expect(name).shape)(&[]);
                let Shape::Fields(fields) = shape else {
                    panic!("{name} has no fields");
                };
                assert!(
                    variable.is_none_or(|field| fields.contains(&field)),
                    "{name}"
                );
            }
            Subject::Probe(kind) if kind != Probe::Slice => {
                let mut probes = probe::REGISTRY.iter();
                assert!(probes.any(|probe| probe.name == kind.name()), "{kind:?}");
            }
            _ => {}
        }
    }
}
