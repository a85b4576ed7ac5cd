//! Bad input gives exit code 2 and one message with the place and the fix. No work is done.

mod common;

use std::fs;

use common::{Answer, GRID, Place};

/// Runs a grid that must be refused. Returns the message.
fn refused(grid: &str, arguments: &[&str]) -> String {
    let place = Place::new(grid);
    let answer = place.run(&[&["grid.yaml"], arguments].concat());
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    assert!(!place.results().exists(), "it began to work");
    assert!(!answer.stderr.contains("backtrace"), "{}", answer.stderr);
    answer.stderr
}

/// Runs the miniature with one thing changed.
fn changed(what: &str, into: &str) -> String {
    assert!(GRID.contains(what), "`{what}` is not in the grid");
    refused(&GRID.replace(what, into), &[])
}

#[test]
fn an_unknown_key() {
    let mut all = String::new();
    all += &changed("attack_seeds", "atack_seeds");
    all += &changed("attack_seeds", "slim: {width: 0.5}\nattack_seeds");
    insta::assert_snapshot!(all);
}

#[test]
fn an_unknown_field_of_a_generator() {
    insta::assert_snapshot!(changed("iterations: 200", "iteratons: 200"));
}

#[test]
fn an_unknown_field_of_an_attack() {
    insta::assert_snapshot!(changed("steps: 3", "stepz: 3"));
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(changed("attack_seeds: 2", "attack_seeds: many"));
}

#[test]
fn a_value_out_of_range() {
    let mut all = String::new();
    all += &changed("1e-3]", "-1e-3]");
    all += &changed("1e-3]", "inf]");
    let long = format!("name: {}", "m".repeat(101));
    all += &changed("name: mini", &long);
    let bits = "attacks=[quantize: {bits: 2.5}]";
    all += &refused(GRID, &["--set", bits]);
    all += &changed("alpha: 0.01", "alpha: 0");
    all += &refused(GRID, &["--set", "head_balance=0.6"]);
    // An even side has no middle row, but the pair lies there.
    let slice = "slice={side: 40, attack: identity}";
    all += &refused(GRID, &["--set", slice]);
    // The square of this side overflows 64 bits.
    let slice = "slice={side: 4294967297, attack: identity}";
    all += &refused(GRID, &["--set", slice]);
    all += &changed("attack_seeds: 2", "attack_seeds: 0");
    all += &changed("attack_seeds: 2", "attack_seeds: 1001");
    for many in [
        "generators.ours.samples=1000000000000",
        "probes=[timing: {samples: [20, 1000000000000]}]",
    ] {
        all += &refused(GRID, &["--set", many]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn more_than_a_data_set_has() {
    let mut all = String::new();
    all += &changed("test_images: 100", "test_images: 200000");
    all += &changed("images: 300", "images: 64000");
    all += &changed("images: 300", "images: 9000, validation: 0.2");
    all += &changed("images: 300", "validation: 0.0004");
    all += &changed("validset: {samples: 6}", "validset: {samples: 5000}");
    all += &changed(
        "dbi: {samples: 6, stage1: {",
        "dbi: {samples: 5000, stage1: {start: natural, ",
    );
    all += &changed("dbi: {samples: 6", "dbi: {samples: 1");
    all += &changed("epochs: 1", "epochs: 1, augment: {crop: 32}");
    let backdoors = ["{target: 10}", "{trigger: {size: 33}}"];
    for backdoor in backdoors.map(|backdoor| format!("attacks=[backdoor: {backdoor}]")) {
        all += &refused(GRID, &["--set", &backdoor]);
    }
    all += &refused(GRID, &["--set", "sample_sets=100000000"]);
    let change = "targets.fashion-mnist-resnet20.test_images=99999";
    all += &refused(GRID, &["--set", change]);
    insta::assert_snapshot!(all);
}

#[test]
fn weights_that_are_not_there() {
    let mut all = String::new();
    for weights in ["net.safetensors", "/nowhere/net.safetensors", "/"] {
        let init = format!("targets.fashion-mnist-resnet20.init={{weights: {weights}}}");
        all += &refused(GRID, &["--set", &init]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn an_unknown_model() {
    insta::assert_snapshot!(changed("resnet20", "resnet2"));
}

#[test]
fn an_unknown_data_set() {
    insta::assert_snapshot!(changed("fashion-mnist", "fashion_mnits"));
}

#[test]
fn an_unknown_generator() {
    insta::assert_snapshot!(changed("- dbi", "- dib"));
}

#[test]
fn an_empty_grid() {
    let mut all = String::new();
    all += &refused("", &[]);
    all += &refused(GRID, &["--set", "targets=[]"]);
    insta::assert_snapshot!(all);
}

#[test]
fn an_entry_twice() {
    insta::assert_snapshot!(changed("1e-5,", "1e-5, 1e-5,"));
}

#[test]
fn a_report_twice() {
    let mut all = String::new();
    all += &changed("[table3]", "[table3, table1, table3]");
    let twice = "reports=[table3, table3]";
    all += &refused(GRID, &["--set", twice]);
    insta::assert_snapshot!(all);
}

#[test]
fn a_name_that_is_no_folder() {
    insta::assert_snapshot!(changed("name: mini", "name: ../mini"));
}

#[test]
fn a_bad_override() {
    let mut all = String::new();
    all += &refused(GRID, &["--set", "generators.ours.stage1.iterations=0"]);
    all += &refused(GRID, &["--set", "attacks.finetune.lr=[1e-5, -5]"]);
    all += &refused(GRID, &["--set", "generators.our.samples=3"]);
    all += &refused(GRID, &["--set", "slim.width=0.5"]);
    all += &refused(GRID, &["--set", "attacks.0.lr=1e-3"]);
    all += &refused(GRID, &["--set", "attacks.0.identity={}"]);
    insta::assert_snapshot!(all);
}

#[test]
fn an_override_of_generators_that_no_target_takes() {
    let own = "test_images: 100\n    generators: [dbi]";
    let grid = GRID.replace("test_images: 100", own);
    let message = refused(&grid, &["--set", "generators.ours.samples=60"]);
    insta::assert_snapshot!(message);
}

#[test]
fn a_bad_overlay() {
    let mut all = String::new();
    let overlays = [
        "desk: {seeds: 1}",
        "desk: {generators: [ours: {samplez: 3}]}",
        "desk: [seed=1]",
        "desk: {desk: {seed: 1}}",
        "scales: {paper: {seed: 1}}",
        "scales: {Tiny: {seed: 1}}",
        "scales: [tiny]",
        "desk: {seed: 1}\nscales: {desk: {seed: 2}}",
    ];
    for overlay in overlays {
        all += &refused(&format!("{GRID}{overlay}\n"), &[]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_scale_that_the_grid_does_not_have() {
    let mut all = String::new();
    let grid = format!("{GRID}scales: {{tiny: {{attack_seeds: 1}}}}\n");
    all += &refused(&grid, &["--scale", "tinny"]);
    all += &refused(&grid, &["--scale", "Tiny"]);
    all += &refused(&format!("scale: desk\n{GRID}"), &["--scale", "paper"]);
    insta::assert_snapshot!(all);
}

/// Overlays are merged before overrides apply, so these overrides would have no effect.
#[test]
fn a_change_of_an_overlay() {
    let mut all = String::new();
    for change in ["desk={}", "desk.seed=1", "scales.tiny.seed=1"] {
        all += &refused(GRID, &["--set", change]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_preset_for_nothing() {
    let mut all = String::new();
    for presets in [
        "presets: {generator: {ours: {samples: 3}}}",
        "presets: {generators: {our: {samples: 3}}}",
        "presets: [ours]",
    ] {
        all += &refused(&format!("{GRID}{presets}\n"), &[]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_target_that_is_neither_described_nor_a_preset() {
    let mut all = String::new();
    let presets = "presets: {targets: {small: {dataset: fashion-mnist, model: resnet20}}}\n";
    for targets in [
        "targets=[smal]",
        "targets={other: {width: 0.5}}",
        "targets=[small, small]",
    ] {
        all += &refused(&format!("{presets}{GRID}"), &["--set", targets]);
    }
    all += &refused(GRID, &["--set", "targets.fashion-mnist-resnet2.width=0.5"]);
    insta::assert_snapshot!(all);
}

#[test]
fn a_change_without_effect() {
    let presets = "presets: {generators: {dbi: {samples: 4}}}\n";
    let change = "presets.generators.dbi.samples=9";
    insta::assert_snapshot!(refused(&format!("{presets}{GRID}"), &["--set", change]));
}

#[test]
fn a_grid_may_get_its_key_from_the_command_line_at_any_scale() {
    let place = Place::new(&GRID.replace("key: {passphrase: test}\n", "desk: {seed: 1}\n"));
    for scale in ["desk", "paper"] {
        let key = ["--set", "key.passphrase=lantern", "--scale", scale];
        place.succeed(&[&["plan", "grid.yaml"], &key[..]].concat());
    }
}

#[test]
fn a_pattern_that_matches_nothing() {
    let mut all = String::new();
    for pattern in [
        "cifar10-*",
        "fashion-mnist-resnet2",
        "fashion-mnist-resnet20/ours/finetune/lr=1e-3",
    ] {
        all += &refused(GRID, &["--only", pattern]);
    }
    insta::assert_snapshot!(all);
}

/// An invalid key. The message does not show it.
#[test]
fn a_key_that_is_none() {
    let mut all = String::new();
    all += &changed("passphrase: test", "hex: zz");
    for change in [
        "key.hex=00112233445566778899aabbccddeeff",
        "key='lantern'",
        "key.passphrase=",
    ] {
        let message = refused(GRID, &["--set", change]);
        assert!(!message.contains("0011") && !message.contains("lantern"));
        all += &message;
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_target_twice_with_other_generators() {
    let twice = "  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 100
    generators: [dbi]
generators:";
    insta::assert_snapshot!(changed("generators:", twice));
}

#[test]
fn a_short_key() {
    let place = Place::new(GRID);
    let output = place
        .command(&["grid.yaml"])
        .env("BRINK_KEY", "c0ffee")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap());
}

#[test]
fn a_grid_file_that_is_not_there() {
    let place = Place::new(GRID);
    let answer = place.run(&["gird.yaml"]);
    assert_eq!(answer.code, Some(2));
    insta::assert_snapshot!(answer.stderr);
}

#[test]
fn no_grid_file() {
    let place = Place::new(GRID);
    let answer = place.run(&["--dry-run"]);
    assert_eq!(answer.code, Some(2));
    insta::assert_snapshot!(answer.stderr);
}

#[test]
fn a_mistyped_command_line() {
    let place = Place::new(GRID);
    let mut all = String::new();
    for arguments in [
        &["pln", "grid.yaml"][..],
        &["tabel"],
        &["table", "grid.yaml", "--only", "x"],
        &["grid.yaml", "--origins"],
        &["status", "grid.yaml", "--dry-run"],
        &["grid.yaml", "--onyl", "x"],
    ] {
        let answer = place.run(arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}");
        assert_eq!(answer.stdout, "");
        all += &answer.stderr;
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_results_folder_that_cannot_be_written() {
    let place = Place::new(GRID);
    fs::write(place.path().join("file"), "").unwrap();
    let answer = place.run(&["grid.yaml", "--out", "file/results"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    insta::assert_snapshot!(answer.stderr);
    // Now only the folder of the tables cannot be created.
    fs::create_dir(place.results()).unwrap();
    fs::write(place.results().join("mini"), "").unwrap();
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = "error: cannot make the folder results/mini: ";
    assert!(answer.stderr.starts_with(said), "{}", answer.stderr);
    assert_eq!(place.records(), []);
}

#[test]
fn a_data_folder_that_is_not_there() {
    let place = Place::new(GRID);
    for command in [
        &["grid.yaml"][..],
        &["status", "grid.yaml"],
        &["plan", "grid.yaml"],
    ] {
        let answer = place.run(&[command, &["--data", "tpyo"]].concat());
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        let said = "error: there is no data folder tpyo; ";
        assert!(answer.stderr.starts_with(said), "{}", answer.stderr);
    }
    // An empty variable counts as unset.
    for command in [&["plan", "grid.yaml"], &["data", "list"]] {
        let mut command = place.command(command);
        let answer = command.env("BRINK_DATA", "").output().unwrap();
        assert!(answer.status.success());
    }
}

#[test]
fn not_enough_disk() {
    let place = Place::new(GRID);
    let answer = place.run(&["grid.yaml", "--require-free", &u64::MAX.to_string()]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = answer.stderr;
    assert!(
        said.starts_with("error: the disk of results/store has"),
        "{said}"
    );
    assert!(
        said.contains("free some space, or choose another results folder"),
        "{said}"
    );
    assert_eq!(place.records(), []);
}

#[test]
fn a_gpu_that_is_not_there() {
    // With a driver, the tests of `gpu` say more.
    if std::path::Path::new("/proc/driver/nvidia/version").exists() {
        return;
    }
    let said = refused(GRID, &["--device", "cuda"]);
    let start = "error: --device cuda: no NVIDIA driver: ";
    assert!(said.starts_with(start), "{said}");
    assert!(said.ends_with("; use --device cpu\n"), "{said}");
    let workers = refused(GRID, &["--device", "cuda", "--workers", "3"]);
    assert_eq!(workers, said);
}

#[test]
fn a_device_that_nobody_has() {
    insta::assert_snapshot!(refused(GRID, &["--device", "gpu"]));
}

#[test]
fn a_budget_of_memory_that_is_none() {
    insta::assert_snapshot!(refused(GRID, &["--gpu-memory", "5"]));
}

#[test]
fn an_instruction_set_that_nobody_has() {
    let answer = Place::new(GRID).run(&["grid.yaml", "--isa", "avx1024"]);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer.stderr.contains("there are portable, avx2, avx512"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_weight_file_that_is_another_one() {
    let sum = "0".repeat(64);
    let init =
        format!("test_images: 100\n    init: {{weights: net.safetensors, sha256: \"{sum}\"}}");
    let place = Place::new(&GRID.replace("test_images: 100", &init));
    fs::write(place.path().join("net.safetensors"), "something else").unwrap();
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(2));
    insta::assert_snapshot!(answer.stderr);
}

#[test]
fn reports_without_records() {
    let place = Place::new(GRID);
    let answer = place.run(&["table", "grid.yaml"]);
    assert_eq!(answer.code, Some(2));
    insta::assert_snapshot!(answer.stderr);
}

#[test]
fn a_name_that_windows_keeps_for_a_device() {
    insta::assert_snapshot!(changed("name: mini", "name: nul"));
}

#[test]
fn weights_that_are_no_path() {
    let mut all = String::new();
    for weights in ["[]", "~", "''"] {
        let init = format!("targets.fashion-mnist-resnet20.init={{weights: {weights}}}");
        all += &refused(GRID, &["--set", &init]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn two_weight_files_that_hold_the_same() {
    let twice = "test_images: 100
    init: {weights: one.safetensors}
  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 100
    init: {weights: two.safetensors}";
    let place = Place::new(&GRID.replace("test_images: 100", twice));
    for name in ["one", "two"] {
        fs::write(place.path().join(format!("{name}.safetensors")), "the same").unwrap();
    }
    let answer = place.run(&["plan", "grid.yaml"]);
    assert_eq!(answer.code, Some(2));
    insta::assert_snapshot!(answer.stderr);
}

/// Also by commands that only list steps, because these steps cannot run.
#[test]
fn weights_that_cannot_be_read_are_refused_by_every_command() {
    let init = "test_images: 100\n    init: {weights: net.safetensors}";
    let place = Place::new(&GRID.replace("test_images: 100", init));
    fs::write(place.path().join("net.safetensors"), "something else").unwrap();
    let answers = [
        &["plan", "grid.yaml"][..],
        &["status", "grid.yaml"],
        &["grid.yaml", "--dry-run"],
        &["grid.yaml"],
    ]
    .map(|arguments| place.run(arguments));
    for answer in &answers {
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
        assert!(
            answer.stderr.contains("net.safetensors"),
            "{}",
            answer.stderr
        );
        assert_eq!(answer.stderr, answers[0].stderr);
    }
}

#[test]
fn numbers_that_others_read_otherwise() {
    let mut all = String::new();
    for number in ["1e-400", "017", "0x1F", "1_000", ".inf", "yes", "abc"] {
        all += &changed("1e-3]", &format!("{number}]"));
        let change = format!("attacks.finetune.lr={number}");
        all += &refused(GRID, &["--set", &change]);
    }
    insta::assert_snapshot!(all);
}

/// The message masks the secret.
#[test]
fn a_mistyped_key() {
    let mut all = String::new();
    for key in [
        "{passhprase: lantern}",
        "lantern",
        "[passphrase, lantern]",
        "{passphrase: lantern: x}",
        "{passphrase: lantern",
    ] {
        all += &changed("{passphrase: test}", key);
    }
    for change in [
        "keys.passphrase=lantern",
        "key.passphras=lantern",
        "lantern",
    ] {
        all += &refused(GRID, &["--set", change]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn threads_that_are_too_many_or_no_number() {
    let place = Place::new(GRID);
    let run = |threads: &str| {
        let mut command = place.command(&["plan", "grid.yaml"]);
        Answer::new(&command.env("RAYON_NUM_THREADS", threads).output().unwrap())
    };
    let begin = std::time::Instant::now();
    let many = run("100000");
    assert_eq!(many.code, Some(0));
    let said = "WARNING: RAYON_NUM_THREADS=100000 is too many; computing with ";
    assert!(many.stderr.starts_with(said), "{}", many.stderr);
    assert!(begin.elapsed().as_secs() < 60);
    let none = run("many");
    assert_eq!(none.code, Some(2));
    insta::assert_snapshot!(none.stderr);
}

/// Thousands of attacks are planned in linear time. It took minutes when each was compared with all others.
#[test]
fn a_long_list_is_planned_in_a_moment() {
    let rates: Vec<String> = (0..8000).map(|n| format!("{n}e-9")).collect();
    let place = Place::new(&GRID.replace("0, 1e-5, 1e-3", &rates.join(", ")));
    let begin = std::time::Instant::now();
    let plan = place.succeed(&["plan", "grid.yaml", "--set", "attack_seeds=1"]);
    // Each step has a line, and the estimate.
    assert_eq!(plan.stdout.lines().count(), 1 + 4 + 8000 * 4 + 1);
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}

#[test]
fn a_leak_that_cannot_be() {
    let mut all = String::new();
    let held = |hold: &str| changed("steps: 3", &format!("steps: 3, hold: {hold}"));
    all += &held("{}");
    all += &held("{share: 1}");
    let pairs = |samples: usize| {
        let grid = "targets.*.generators=";
        let samples = format!("{grid}[bracketed: {{samples: {samples}}}]");
        move |attack: &str| {
            let attack = format!("attacks=[finetune: {attack}]");
            refused(GRID, &["--set", &samples, "--set", &attack])
        }
    };
    all += &pairs(1)("{hold: {}}");
    all += &pairs(6)("{batch_norm: train_restore, hold: {}}");
    insta::assert_snapshot!(all);
}
