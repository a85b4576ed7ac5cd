//! A grid with every attack, probe and report. Also, the grids of the tables are parts of `all.yaml`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::Place;
use serde_json::Value;

const GRID: &str = "\
name: every
title: Everything in small
reports: [table1, table2, table3, table4, table5, figure3, dispersion, convergence, choices, attacks, figure1, samples]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    width: 0.5
    train: {epochs: 1, images: 300, batch: 50}
    generators:
      - validset: {samples: 6}
      - dbi: {samples: 6, stage1: {iterations: 12}}
      - ours: {samples: 6, stage1: {iterations: 12}, stage2: {alpha: 0.01, iterations: 200}}
    test_images: 100
generators: [aid]
attacks:
  - identity
  - finetune: {lr: [0, 1e-3], steps: 3, batch: 20}
  - prune: {rate: [0.01, 0.5]}
  - prune: {rate: 0.5, criterion: random}
  - quantize: {bits: [4, 8]}
  - quantize: {what: weights_and_activations}
  - backdoor: {batch: 20, poisoned: 4, lr: 1e-3, max_steps: 4, check_every: 2}
probes:
  - timing: {samples: 4, iterations: 3}
  - dispersion: {samples: 4, iterations: 5}
  - convergence: {samples: 4, iterations: 5}
slice: {attack: {finetune: {lr: 1e-3, steps: 3}}, side: 5}
attack_seeds: 2
sample_sets: 2
";

#[test]
fn everything_runs_and_is_reported() {
    let place = Place::new(GRID);
    let answer = place.succeed(&["grid.yaml", "--verbose"]);
    let folder = place.results().join("every");
    let reports = [
        ("table1", false),
        ("table2", false),
        ("table3", true),
        ("table4", false),
        ("table5", false),
        ("figure3", true),
        ("dispersion", false),
        ("convergence", true),
        ("choices", false),
        ("attacks", false),
        ("figure1", false),
        ("samples", false),
    ];
    for (report, has_figure) in reports {
        let table = fs::read_to_string(folder.join(format!("{report}.md"))).unwrap();
        assert!(table.contains("desk scale"), "{report}: {table}");
        assert!(answer.stdout.contains(&format!("{report}.csv")), "{report}");
        let figure = folder.join(format!("{report}.svg"));
        assert_eq!(figure.exists(), has_figure, "{report}");
    }
    for figure in ["figure1", "samples-validset", "samples-dbi", "samples-ours"] {
        let (report, generator) = figure.split_once('-').unwrap_or((figure, ""));
        let dash = if generator.is_empty() { "" } else { "-" };
        let name = format!("{report}-fashion-mnist-resnet20-width0.5{dash}{generator}.svg");
        assert!(folder.join(&name).exists(), "{name}");
    }

    let records = place.records();
    let attack = |name: &str| -> Vec<&Value> {
        let runs = records.iter().map(|(_, record)| record);
        runs.filter(|run| run["attack"] == name).collect()
    };
    for run in attack("identity") {
        assert_eq!(
            (&run["change"]["changed"], &run["single"]["hits"]),
            (&0.into(), &0.into())
        );
        assert_eq!(run["accuracy_before"], run["accuracy_after"]);
    }
    // Three generators with two sets each. Attacks without randomness have one seed.
    let sets = 3 * 2;
    assert_eq!(attack("identity").len(), sets);
    assert_eq!(attack("prune").len(), sets * (2 + 2));
    assert_eq!(attack("quantize").len(), sets * (2 + 2));
    assert_eq!(attack("finetune").len(), sets * (2 + 1));
    for run in attack("backdoor") {
        assert!(
            run["steps"].as_u64() > Some(0) && run["reached"].is_boolean(),
            "{run}"
        );
        assert!(run["success_after"]["of"].as_u64() > Some(0), "{run}");
    }
    // Runs with labels of the keyed head also count flips of the network's classes.
    let runs = attack("finetune");
    let by_class = runs.iter().filter(|run| !run["classes"].is_null());
    assert!(by_class.clone().all(|run| run["generator"] != "validset"));
    assert_eq!(by_class.count(), 2 * 2 * (2 + 1));

    let page = place.succeed(&["report", "grid.yaml"]);
    assert_eq!(page.stdout, "results/report.html\n");
    let page = fs::read_to_string(place.results().join("report.html")).unwrap();
    for name in [
        "Table I",
        "Table II",
        "Table III",
        "Table IV",
        "Table V",
        "Figure 3",
    ] {
        assert!(page.contains(name), "{name}");
    }

    // A second run has nothing to do.
    let again = place.succeed(&["grid.yaml", "--verbose"]);
    assert_eq!(again.stderr, "");
    assert_eq!(again.stdout, answer.stdout);
}

/// The ids of all steps of a grid in `configs`, without slices.
fn ids(place: &Place, config: &Path, scale: &str) -> BTreeSet<String> {
    let config = config.to_str().unwrap();
    let plan = place.succeed(&["plan", config, "--scale", scale]);
    let id = |line: &str| Some(line[7..].split_whitespace().nth(1)?.to_owned());
    // Only `all.yaml` has figure 1, which is a slice.
    let own = |line: &&str| !line.contains(": ") && !line.ends_with("/slice");
    let steps = plan.stdout.lines().filter(own);
    steps.filter_map(id).collect()
}

#[test]
fn the_grids_of_the_tables_are_parts_of_the_grid_of_everything() {
    let place = Place::new("");
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    for scale in ["desk", "paper"] {
        let all = ids(&place, &configs.join("all.yaml"), scale);
        assert!(all.len() > 100, "{all:?}");
        let parts = [
            "table1",
            "table2",
            "table3",
            "table4",
            "table5",
            "figure3",
            "dispersion",
        ];
        let mut seen = BTreeSet::new();
        for part in parts {
            let ids = ids(&place, &configs.join(format!("{part}.yaml")), scale);
            let strange: Vec<_> = ids.difference(&all).collect();
            assert!(
                strange.is_empty(),
                "{part} at {scale} scale has {strange:?}"
            );
            seen.extend(ids);
        }
        assert_eq!(seen, all, "at {scale} scale");
    }
}

#[test]
fn every_grid_can_be_planned_at_both_scales() {
    let place = Place::new("");
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut grids = 0;
    for file in fs::read_dir(configs).unwrap() {
        let file = file.unwrap().path();
        if file.is_dir() || file.ends_with("own.yaml") || file.ends_with("onnx.yaml") {
            continue; // folders hold included files, and two grids need files of their readers
        }
        for scale in ["desk", "paper"] {
            let steps = ids(&place, &file, scale);
            assert!(!steps.is_empty());
        }
        grids += 1;
    }
    assert!(grids >= 12, "{grids}");
}
