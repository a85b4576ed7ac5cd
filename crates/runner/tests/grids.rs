//! Grids of several files with presets and overlays: what they resolve to, and what is refused.

mod common;

use std::fs;

use common::{GRID, Place};

/// The miniature in three files: the grid, its target, and the settings of its entries.
fn divided() -> Place {
    let place = Place::new(
        "include: [parts/target.yaml, parts/settings.yaml]
name: mini
title: A miniature
reports: [table3]
key: {passphrase: test}
targets: [small]
generators: [validset, dbi, aid, ours]
attacks: [finetune: {lr: [0, 1e-5, 1e-3]}]
",
    );
    let parts = place.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let target = "presets:
  targets:
    small:
      dataset: fashion-mnist
      model: resnet20
      train: {epochs: 5, images: 300, batch: 50, desk: {epochs: 1}}
      test_images: 200
      generators: {ours: {stage1: {iterations: 12}}}
      desk: {test_images: 100}
      scales: {tiny: {test_images: 50, train: {epochs: 1}}}
";
    let settings = "presets:
  generators:
    validset: {samples: 6}
    dbi: {samples: 6, stage1: {iterations: 12}}
    aid: {samples: 6, stage1: {iterations: 12}}
    ours: {samples: 6, stage2: {alpha: 0.01, iterations: 200}}
  attacks:
    finetune: {steps: 3, batch: 20}
attack_seeds: 9
desk: {attack_seeds: 2}
";
    fs::write(parts.join("target.yaml"), target).unwrap();
    fs::write(parts.join("settings.yaml"), settings).unwrap();
    place
}

/// The kind and the id of each step of a grid, none of which is done.
fn steps(place: &Place, arguments: &[&str]) -> Vec<String> {
    let plan = place.succeed(&[&["plan"], arguments].concat());
    let step = |line: &str| {
        line.split_whitespace()
            .skip(2)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    plan.stdout.lines().map(step).collect()
}

#[test]
fn a_grid_in_parts_has_the_steps_of_one_in_a_piece() {
    let whole = Place::new(GRID);
    assert_eq!(
        steps(&divided(), &["grid.yaml"]),
        steps(&whole, &["grid.yaml"])
    );
}

/// As in the lists of generators and attacks.
#[test]
fn a_list_of_targets_may_give_names() {
    let place = divided();
    let list =
        "targets=[small: {test_images: 60}, other: {dataset: fashion-mnist, model: resnet20}]";
    let shown = place.succeed(&["show", "grid.yaml", "--set", list]);
    for said in ["  small:\n", "    test_images: 60\n", "  other:\n"] {
        assert!(shown.stdout.contains(said), "{}", shown.stdout);
    }
}

#[test]
fn what_is_shown_has_the_same_steps_and_keeps_its_scale() {
    let place = divided();
    for arguments in [
        &[][..],
        &["--scale", "paper"],
        &["--scale", "tiny", "--set", "seed=3"],
        &["--origins"],
    ] {
        let shown = place.succeed(&[&["show", "grid.yaml"], arguments].concat());
        fs::write(place.path().join("shown.yaml"), shown.stdout).unwrap();
        let plain: Vec<_> = arguments
            .iter()
            .filter(|one| **one != "--origins")
            .collect();
        let mut chosen = vec!["grid.yaml"];
        chosen.extend(plain);
        assert_eq!(steps(&place, &["shown.yaml"]), steps(&place, &chosen));
    }
    let shown = place.succeed(&["show", "grid.yaml", "--scale", "tiny"]);
    fs::write(place.path().join("shown.yaml"), shown.stdout).unwrap();
    let other = place.run(&["plan", "shown.yaml", "--scale", "paper"]);
    assert_eq!(other.code, Some(2), "{}", other.stderr);
}

#[test]
fn each_value_says_where_it_is_from() {
    let place = divided();
    let shown = place.succeed(&["show", "grid.yaml", "--origins", "--set", "seed=3"]);
    insta::assert_snapshot!(shown.stdout);
}

/// Titles name every scale but the paper's.
#[test]
fn a_scale_of_ones_own_stands_in_the_title() {
    let place = divided();
    let sets = ["--set", "generators=[validset]", "--set", "attack_seeds=1"];
    place.succeed(&[&["grid.yaml", "--scale", "tiny"], &sets[..]].concat());
    let table = fs::read_to_string(place.results().join("mini/table3.md")).unwrap();
    assert!(table.contains("(tiny scale)"), "{table}");
    let records = place.records();
    let target = records
        .iter()
        .find(|(_, record)| !record["accuracy"].is_null());
    assert_eq!(target.unwrap().1["accuracy"]["of"], 50);
}

/// The settings of a target win over the preset, and the entry of the grid wins over both.
#[test]
fn the_nearest_setting_wins() {
    let place = divided();
    let iterations = |arguments: &[&str]| {
        let shown = place.succeed(&[&["show", "grid.yaml"], arguments].concat());
        let of_target = shown.stdout.split("targets:").nth(1).unwrap().to_owned();
        let mut lines = of_target
            .lines()
            .skip_while(|line| !line.contains("stage1:"));
        lines.nth(1).unwrap().trim().to_owned()
    };
    let target = "targets.small.generators.ours.stage1.iterations=11";
    let entry = "generators.ours.stage1.iterations=13";
    let only = ["--set", "generators=[ours]"];
    let with = |changes: &[&'static str]| {
        let sets = changes.iter().flat_map(|change| ["--set", *change]);
        let all: Vec<&str> = only.iter().copied().chain(sets).collect();
        iterations(&all)
    };
    assert_eq!(with(&[]), "iterations: 12");
    assert_eq!(with(&[target]), "iterations: 11");
    assert_eq!(with(&[entry]), "iterations: 13");
    // What the entry covers would have no effect.
    let both = ["show", "grid.yaml", "--set", target, "--set", entry];
    let lost = place.run(&both);
    assert_eq!(lost.code, Some(2), "{}", lost.stdout);
}

#[test]
fn includes_that_are_refused() {
    let place = divided();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write("missing.yaml", "include: parts/targts.yaml\nname: a\n");
    write("itself.yaml", "include: itself.yaml\n");
    write(
        "parts/there.yaml",
        "include: [target.yaml, ../round.yaml]\n",
    );
    write("round.yaml", "include: parts/there.yaml\n");
    write("number.yaml", "include: [3]\n");
    write("parts/out.yaml", "include: ../parts/target.yaml\n");
    write(
        "parts/bad.yaml",
        "presets: {generators: {ours: {sampels: 3}}}\nname: {a: b}\n",
    );
    write(
        "of-bad.yaml",
        "include: parts/bad.yaml\ntitle: a\nkey: {passphrase: a}\ntargets: [{dataset: fashion-mnist, model: resnet20}]\n",
    );
    write("parts/broken.yaml", "a: [1\nb: 2\n");
    write("of-broken.yaml", "include: parts/broken.yaml\n");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.yaml"), "seed: 1\n").unwrap();
    write(
        "absolute.yaml",
        &format!("include: {}/a.yaml\n", outside.path().display()),
    );
    let mut all = String::new();
    for grid in [
        "missing",
        "itself",
        "round",
        "number",
        "of-bad",
        "of-broken",
        "parts/out",
    ] {
        let answer = place.run(&["plan", &format!("{grid}.yaml")]);
        assert_eq!(answer.code, Some(2), "{grid}: {}", answer.stderr);
        all += &answer.stderr;
    }
    let folder = place.path().canonicalize().unwrap();
    insta::assert_snapshot!(all.replace(&folder.display().to_string(), "FOLDER"));
    let answer = place.run(&["plan", "absolute.yaml"]);
    assert!(
        answer.stderr.contains("is outside the folder of the grid"),
        "{}",
        answer.stderr
    );
}

/// Messages hide the secret of an included file.
/// The error shows the line of the field, also in an included file.
#[test]
fn values_that_do_not_fit_the_data_set_are_shown_where_they_stand() {
    let place = divided();
    let refused = |file: &str, what: &str, into: &str| {
        let place = place.copy();
        let path = place.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(what));
        fs::write(path, text.replace(what, into)).unwrap();
        let answer = place.run(&["plan", "grid.yaml"]);
        assert_eq!(answer.code, Some(2), "{what}: {}", answer.stderr);
        answer.stderr
    };
    let mut all = String::new();
    let (target, settings) = ("parts/target.yaml", "parts/settings.yaml");
    all += &refused(
        target,
        "desk: {test_images: 100}",
        "desk: {test_images: 99999}",
    );
    all += &refused(target, "images: 300", "images: 99999");
    all += &refused(
        settings,
        "validset: {samples: 6}",
        "validset: {samples: 9999}",
    );
    all += &refused("grid.yaml", "validset, dbi", "validset, dbi: {samples: 1}");
    let attacks = "[backdoor: {poisoned: [50, 9999]}, ";
    all += &refused("grid.yaml", "attacks: [", &format!("attacks: {attacks}"));
    let twice = "small, other: {dataset: fashion-mnist, model: resnet20, train: {epochs: 1, images: 300, batch: 50}, test_images: 100}";
    all += &refused("grid.yaml", "[small]", &format!("[{twice}]"));
    insta::assert_snapshot!(all);
}

#[test]
fn generators_of_the_grid_that_no_target_takes_have_no_effect() {
    let place = divided();
    let shown = place.succeed(&["show", "grid.yaml"]).stdout;
    // The target has the whole list, with its own settings.
    assert!(!shown.contains("\ngenerators:"), "{shown}");
    assert!(shown.contains("    generators:\n"), "{shown}");
    let preset = "presets.generators.ours.stage1.iterations=9";
    let answer = place.run(&["plan", "grid.yaml", "--set", preset]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = "this has no effect: no entry of the grid reads it";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    // The target has no such setting of its own.
    for change in [
        "presets.generators.ours.samples=9",
        "generators.ours.stage1.iterations=9",
    ] {
        place.succeed(&["plan", "grid.yaml", "--set", change]);
    }
}

#[test]
fn a_target_that_is_counted_gets_the_hint_of_its_name() {
    let place = Place::new(GRID);
    let answer = place.run(&["plan", "grid.yaml", "--set", "targets.0.test_images=50"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let hint = "targets are changed by their names: write `fashion-mnist-resnet20`";
    assert!(answer.stderr.contains(hint), "{}", answer.stderr);
    let named = "targets.fashion-mnist-resnet20.test_images=50";
    place.succeed(&["plan", "grid.yaml", "--set", named]);
}

#[test]
fn a_key_that_is_mistyped_in_an_included_file_is_not_shown() {
    let place = divided();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    for key in [
        "key: {passhprase: Xq7canaryZ}",
        "key: Xq7canaryZ",
        "desk: {key: {passhprase: Xq7canaryZ}}",
        "key: {passphrase: Xq7canaryZ}, seed: x",
    ] {
        write("parts/key.yaml", &format!("{key}\n"));
        write(
            "of-key.yaml",
            &format!(
                "include: [parts/key.yaml, parts/target.yaml]\n{}",
                GRID.replace("key: {passphrase: test}\n", "")
            ),
        );
        let answer = place.run(&["plan", "of-key.yaml"]);
        assert_eq!(answer.code, Some(2), "{key}: {}", answer.stdout);
        assert!(!answer.stderr.contains("Xq7canaryZ"), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("parts/key.yaml"),
            "{}",
            answer.stderr
        );
    }
}
