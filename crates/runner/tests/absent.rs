//! Missing images and weights are listed with a way to get them, and the other steps run.

mod common;

use std::fs;
use std::process::Stdio;

use common::{GRID, Place};

/// The miniature with other targets before its own.
fn grid(others: &str) -> String {
    GRID.replace("targets:\n", &format!("targets:\n{others}"))
        .replace("attack_seeds: 2", "attack_seeds: 1")
        .replace("[0, 1e-5, 1e-3]", "[1e-3]")
}

/// A target without its images, and a target without its weight file.
fn absent() -> String {
    let sum = "0".repeat(64);
    grid(&format!(
        "  - {{dataset: cifar10, model: resnet18}}
  - {{dataset: fashion-mnist, model: resnet20, init: {{weights: net.safetensors, sha256: '{sum}'}}}}
"
    ))
}

#[test]
fn rows_that_were_not_run_say_why() {
    let place = Place::new(&absent());
    let answer = place.succeed(&["grid.yaml"]);
    assert!(answer.stdout.contains("not run"), "{}", answer.stdout);
    let table = fs::read_to_string(place.results().join("mini/table3.md")).unwrap();
    assert!(table.contains("runner data fetch cifar10"), "{table}");
    assert!(table.contains("net.safetensors"), "{table}");
    assert_eq!(place.records().len(), 1 + 4 + 4);
    // The command in the message keeps the options, quoted for a shell.
    let chosen = ["--set", "title=it's mini", "--set", "seed=1"];
    let other = ["--device", "cpu", "--force"];
    place.succeed(&[&["table", "grid.yaml"], &chosen[..], &other[..]].concat());
    let table = fs::read_to_string(place.results().join("mini/table3.md")).unwrap();
    let again =
        "`runner grid.yaml --set \"title=it's mini\" --set 'seed=1' --data DIR --device cpu`";
    assert!(table.contains(again), "{table}");
    // No command gets a weight file.
    let line = table.lines().find(|line| line.contains("net.safetensors"));
    assert!(
        line.is_some_and(|line| !line.contains("To get it")),
        "{table}"
    );
    let plan = place.succeed(&["plan", "grid.yaml"]).stdout;
    assert_eq!(
        plan.lines().filter(|line| line.starts_with("done")).count(),
        9,
        "{plan}"
    );
    assert_eq!(
        plan.lines()
            .filter(|line| line.starts_with("not run  "))
            .count(),
        2 * 9 + 2,
        "{plan}"
    );
}

/// A message about a missing file would be wrong: the user has it.
#[test]
fn a_damaged_data_file_is_refused_and_not_reported_as_absent() {
    let place = Place::new(&grid("  - {dataset: cifar10-jpeg, model: resnet18}\n"));
    let folder = place.path().join("data/cifar10");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("train-00000-of-00001.parquet");
    fs::write(&file, "PAR1 and then nothing").unwrap();
    let answer = place.run(&["grid.yaml", "--data", "data"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    insta::assert_snapshot!(answer.stderr);
    assert!(!place.results().exists());
    let list = place.succeed(&["data", "list", "--data", "data"]).stdout;
    let said = "cannot be used: data/cifar10/train-00000-of-00001.parquet: truncated";
    assert!(list.contains(said), "{list}");
    // Steps that do not need it still run.
    place.succeed(&["grid.yaml", "--data", "data", "--only", "fashion-mnist-*"]);
    fs::remove_file(file).unwrap();
    let plan = place.succeed(&["plan", "grid.yaml", "--data", "data"]);
    let said =
        "CIFAR-10 (JPEG q75) (`cifar10-jpeg`) is not in data; there is no download: put train-";
    assert!(plan.stdout.contains(said), "{}", plan.stdout);
}

#[test]
fn a_part_that_cannot_be_done_is_refused() {
    let place = Place::new(&absent());
    // The part is selected, or is the whole grid.
    let alone = "targets=[{dataset: cifar10, model: resnet18}]";
    for part in [["--only", "cifar10-*"], ["--set", alone]] {
        let answer = place.run(&[&["grid.yaml"], &part[..]].concat());
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("runner data fetch cifar10"),
            "{}",
            answer.stderr
        );
        assert!(!place.results().exists());
    }
}

/// A table of models needs only the target, no samples.
#[test]
fn what_is_said_of_a_model_is_nothing_of_its_samples() {
    let grid = GRID.replace("[table3]", "[table1, table3]");
    let place = Place::new(&grid.replace("attacks:\n", "attacks:\n  - identity\n"));
    place.succeed(&["grid.yaml", "--only", "fashion-mnist-resnet20/validset"]);
    let note = "nothing for table3 has been computed yet";
    let read = |name| fs::read_to_string(place.results().join("mini").join(name)).unwrap();
    assert!(!read("table1.md").contains(note), "{}", read("table1.md"));
    assert!(read("table3.md").contains(note), "{}", read("table3.md"));
    // Runs of other attacks do not fill the table either.
    place.succeed(&["grid.yaml", "--only", "fashion-mnist-resnet20/*/identity/*"]);
    assert!(read("table3.md").contains(note), "{}", read("table3.md"));
}

/// The other steps run, and the damaged set can be made again.
#[test]
fn a_damaged_set_leaves_the_rest_as_it_is() {
    let place = Place::new(&grid(""));
    place.succeed(&["grid.yaml"]);
    let (path, _) = place
        .payloads()
        .into_iter()
        .find(|(path, _)| path.contains("/sets/"))
        .unwrap();
    fs::write(place.path().join(&path), "no samples").unwrap();
    // No missing step needs it.
    place.succeed(&["grid.yaml"]);
    let again = ["grid.yaml", "--set", "attack_seeds=2", "--save-every", "1"];
    for _ in 0..2 {
        let answer = place.run(&again);
        assert_eq!(answer.code, Some(1), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("delete its record"),
            "{}",
            answer.stderr
        );
        assert_eq!(place.records().len(), 1 + 4 + 4 + 3);
        // The missing run of the damaged set will resume from this state.
        assert_eq!(place.states(), 1);
    }
    let record = place.path().join(path).with_file_name("record.json");
    fs::remove_file(record).unwrap();
    place.succeed(&again);
    assert_eq!(place.records().len(), 1 + 4 + 4 + 4);
    assert_eq!(place.states(), 0);
}

/// Reports show the records even if images are damaged.
#[test]
fn a_damaged_set_is_not_shown_and_costs_no_table() {
    let place = Place::new(&grid("").replace("[table3]", "[table3, samples]"));
    place.succeed(&["grid.yaml"]);
    let table = || fs::read_to_string(place.results().join("mini/samples.md")).unwrap();
    let before = table();
    let payloads = place.payloads().into_iter();
    let (path, _) = payloads
        .into_iter()
        .find(|(path, _)| path.contains("/sets/"))
        .unwrap();
    fs::write(place.path().join(path), "no samples").unwrap();
    let answer = place.succeed(&["table", "grid.yaml"]);
    assert!(
        answer.stderr.contains("its samples are not shown"),
        "{}",
        answer.stderr
    );
    let lost = "- Sets without a sheet, as their images are not here: 1.\n";
    assert_eq!(table(), before + lost);
}

/// Samples for one model cannot test another.
#[test]
fn other_weights_under_the_name_of_a_target_are_refused() {
    let place = Place::new(&grid(""));
    place.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    let (path, mut bytes) = place
        .payloads()
        .into_iter()
        .find(|(path, _)| path.ends_with("weights.safetensors"))
        .unwrap();
    // The last byte of the last weight.
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(place.path().join(path), bytes).unwrap();
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(answer.stderr.contains("have changed"), "{}", answer.stderr);
    assert_eq!(place.records().len(), 1);
}

/// Trained weights that a grid names as a file are a new target, which is not trained.
#[test]
fn weights_from_a_file_are_used_as_they_are() {
    let place = Place::new(&grid(""));
    place.succeed(&["grid.yaml"]);
    let trained = place
        .records()
        .into_iter()
        .map(|(_, record)| record)
        .find(|r| !r["epochs"].is_null())
        .unwrap();
    let (weights, _) = place
        .payloads()
        .into_iter()
        .find(|(path, _)| path.ends_with("weights.safetensors"))
        .unwrap();
    fs::copy(
        place.path().join(weights),
        place.path().join("net.safetensors"),
    )
    .unwrap();
    fs::remove_dir_all(place.results()).unwrap();
    let target = "{dataset: fashion-mnist, model: resnet20, init: {weights: net.safetensors}, test_images: 100}";
    place.succeed(&["grid.yaml", "--set", &format!("targets=[{target}]")]);
    let records = place.records();
    let loaded = records
        .iter()
        .map(|(_, record)| record)
        .find(|r| !r["epochs"].is_null())
        .unwrap();
    assert_eq!(loaded["epochs"], 0.0);
    assert_eq!(loaded["accuracy"], trained["accuracy"]);
    assert_ne!(loaded["id"], trained["id"]);
}

/// Runs a grid in which a step must fail. Returns the last line of standard error.
fn failed(place: &Place) -> String {
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    answer.stderr.lines().last().unwrap().to_owned()
}

#[test]
fn a_divergence_names_the_step_and_the_iteration() {
    let place = Place::new(
        &GRID
            .replace("[0, 1e-5, 1e-3]", "[1e38]")
            .replace("attack_seeds: 2", "attack_seeds: 1"),
    );
    let last = failed(&place);
    assert!(
        last.starts_with("error: fashion-mnist-resnet20/finetune/seed0: the training loss is "),
        "{last}"
    );
    assert!(last.contains("at iteration "), "{last}");
}

/// Weights of about 1e30 give NaN logits, so the model has no labels.
#[test]
fn a_model_without_labels_leaves_the_other_attacks_as_they_are() {
    let place = Place::new(
        &GRID
            .replace("[0, 1e-5, 1e-3], steps: 3", "[1e30, 1e-3], steps: 1")
            .replace("attack_seeds: 2", "attack_seeds: 1"),
    );
    let last = failed(&place);
    assert!(
        last.starts_with("error: fashion-mnist-resnet20/finetune/lr=1e30/seed0: "),
        "{last}"
    );
    assert!(last.contains("NaN"), "{last}");
    // A target, four sets, and a run of each set at the other rate.
    assert_eq!(place.records().len(), 1 + 4 + 4);
    let again = place.run(&["grid.yaml"]);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains("lr=1e30"), "{}", again.stderr);
    assert!(!again.stderr.contains("lr=1e-3"), "{}", again.stderr);
}

/// Stage 2 cannot cross the boundary in one tiny step.
#[test]
fn what_cannot_be_made_leaves_the_rest_as_it_is() {
    let all = "{alpha: 0.01, iterations: 200}";
    let place = Place::new(&GRID.replace(all, "{alpha: 1e-7, iterations: 1}"));
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let last = answer.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error: fashion-mnist-resnet20/ours: "),
        "{last}"
    );
    assert!(answer.stdout.contains("Validset"), "{}", answer.stdout);
    // A target, three sets, and five runs of each set. Two rates have two seeds, rate 0 has one.
    assert_eq!(place.records().len(), 1 + 3 + 3 * (2 * 2 + 1));
    let again = place.run(&["grid.yaml"]);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(!again.stderr.contains("finetune"), "{}", again.stderr);
}

#[test]
fn what_there_is() {
    let place = Place::new(GRID);
    insta::assert_snapshot!("list", place.succeed(&["list"]).stdout);
    insta::assert_snapshot!("data_list", place.succeed(&["data", "list"]).stdout);
    insta::assert_snapshot!("help", place.succeed(&["--help"]).stdout);
    let fetch = place.run(&["data", "fetch", "fashion-mnist", "--data", "."]);
    assert_eq!(fetch.code, Some(2));
    insta::assert_snapshot!("nothing_to_fetch", fetch.stderr);
}

#[test]
fn a_reader_may_leave_early() {
    // The plan for 1000 seeds is longer than the buffer of a pipe.
    let place = Place::new(GRID);
    let mut child = place
        .command(&["plan", "grid.yaml", "--set", "attack_seeds=1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// The variable replaces `--data` of every command, and every command accepts it.
#[test]
fn a_data_folder_in_the_environment_is_one_for_every_command() {
    let place = Place::new(GRID);
    fs::create_dir(place.path().join("my data")).unwrap();
    let with_variable = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        let output = command.env("BRINK_DATA", "my data").output().unwrap();
        common::Answer::new(&output)
    };
    for arguments in [
        &["list"] as &[&str],
        &["data", "list"],
        &["plan", "grid.yaml"],
    ] {
        let answer = with_variable(arguments);
        assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.stderr);
    }
    let grid = GRID.replace("fashion-mnist", "cifar10");
    fs::write(place.path().join("grid.yaml"), grid).unwrap();
    let answer = with_variable(&["plan", "grid.yaml"]);
    let fetch = "`runner data fetch cifar10 --data 'my data'`";
    assert!(answer.stdout.contains(fetch), "{}", answer.stdout);
}

/// Often only the records of a run are kept.
#[test]
fn weights_that_are_gone_are_had_again_unless_they_were_trained() {
    let trained = Place::new(&grid(""));
    trained.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    let weights = |place: &Place| {
        let target = |(path, _): &(String, _)| path.ends_with("weights.safetensors");
        let (path, _) = place.payloads().into_iter().find(target).unwrap();
        place.path().join(path)
    };
    let kept = fs::read(weights(&trained)).unwrap();
    fs::remove_file(weights(&trained)).unwrap();
    let answer = trained.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    for said in ["are gone", "delete its record"] {
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    assert_eq!(trained.records().len(), 1);

    let (_, record) = &trained.records()[0];
    let sum = record["weights_sha256"].as_str().unwrap();
    let init = format!("init: {{weights: net.safetensors, sha256: {sum}}}");
    let train = "train: {epochs: 1, images: 300, batch: 50}";
    let place = Place::new(&grid("").replace(train, &init));
    let file = place.path().join("net.safetensors");
    fs::write(&file, &kept).unwrap();
    place.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    // The stored weights are enough without the file.
    fs::remove_file(&file).unwrap();
    place.succeed(&["grid.yaml", "--only", "fashion-mnist-resnet20/ours"]);
    assert_eq!(place.records().len(), 1 + 1);
    fs::remove_file(weights(&place)).unwrap();
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = "there is no weight file";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    fs::write(&file, &kept).unwrap();
    place.succeed(&["grid.yaml"]);
    assert_eq!(place.records().len(), 1 + 4 + 4);
}

#[test]
fn a_file_that_holds_no_weights_of_the_network_is_refused_before_there_is_work() {
    let init = "init: {weights: net.safetensors}";
    let train = "train: {epochs: 1, images: 300, batch: 50}";
    let place = Place::new(&grid("").replace(train, init));
    for (bytes, said) in [
        (
            &b"junk"[..],
            "neither a safetensors file nor written by torch.save",
        ),
        (br#"        {"x":1}"#, "not a whole safetensors file"),
    ] {
        fs::write(place.path().join("net.safetensors"), bytes).unwrap();
        let answer = place.run(&["grid.yaml"]);
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
        assert!(!place.results().exists());
    }
}

/// The log names attacks, so `--only` takes these names.
#[test]
fn the_name_of_an_attack_stands_for_its_runs() {
    let place = Place::new(GRID);
    let name = "fashion-mnist-resnet20/finetune/lr=1e-5/seed1";
    let answer = place.succeed(&["grid.yaml", "--only", name]);
    assert!(answer.stderr.contains(name), "{}", answer.stderr);
    assert_eq!(place.records().len(), 1 + 4 + 4);
}

/// The journal tells keys apart without revealing them.
#[test]
fn the_journal_tells_keys_apart() {
    let place = Place::new(GRID);
    let key = |arguments: &[&str]| {
        let only = ["--set", "generators=[]", "--set", "attacks=[]"];
        place.succeed(&[&["grid.yaml"], arguments, &only].concat());
        let text = fs::read_to_string(place.results().join("mini/run.json")).unwrap();
        assert!(!text.contains("passphrase"), "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["key"].clone()
    };
    let own = key(&[]);
    assert_eq!(own["from"], "the grid file");
    fs::write(place.path().join("key"), "0123456789abcdef".repeat(2)).unwrap();
    let other = key(&["--key-file", "key"]);
    assert_eq!(other["from"], "--key-file");
    assert_ne!(own["check"], other["check"]);
    assert_eq!(key(&[]), own);
}

/// Tables show the commands for missing steps. Tables are published, so the commands must not show the key.
#[test]
fn no_file_has_the_secret() {
    let others = "desk: {key: {passphrase: lantern}}\n";
    let place = Place::new(&(GRID.to_owned() + others));
    let set = |change| {
        [
            "grid.yaml",
            "--set",
            change,
            "--only",
            "fashion-mnist-resnet20/validset",
        ]
    };
    for change in [
        "key.passphrase=lantern",
        "key={passphrase: lantern}",
        "key .passphrase=lantern",
    ] {
        place.succeed(&set(change));
        place.succeed(&["report", "grid.yaml", "--set", change]);
        let page = fs::read_to_string(place.results().join("report.html")).unwrap();
        let mut texts = vec![page];
        for file in fs::read_dir(place.results().join("mini")).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        assert!(texts.len() > 5);
        let asked = texts.iter().any(|text| text.contains("=KEY"));
        assert!(asked, "no command stands there at all");
        for text in texts {
            assert!(!text.contains("lantern"), "{text}");
        }
    }
}

#[test]
fn a_report_that_the_grid_cannot_fill_is_named() {
    let grid = GRID.replace("[table3]", "[table1, table2, table3, table5, figure1]");
    let place = Place::new(&grid);
    let answer = place.succeed(&["grid.yaml", "--only", "fashion-mnist-resnet20/validset"]);
    let warnings = [
        "WARNING: table2 stays empty: the grid has no attack `backdoor`;",
        "WARNING: table5 stays empty: the grid has no probe `timing`;",
        "WARNING: figure1 stays empty: the grid has no `slice`;",
    ];
    // They come before the work.
    for (line, said) in answer.stderr.lines().zip(warnings) {
        assert!(line.starts_with(said), "{line}");
    }
    for command in ["plan", "status", "table"] {
        let answer = place.succeed(&[command, "grid.yaml"]);
        let mut lines = answer.stderr.lines();
        let told = |said| lines.next().is_some_and(|line| line.starts_with(said));
        assert!(
            warnings.into_iter().all(told),
            "{command}: {}",
            answer.stderr
        );
    }
}

/// For example, a custom network beside a trained one.
#[test]
fn targets_of_one_data_set_and_network_are_told_apart_where_one_was_not_run() {
    let another = "  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 2, images: 300, batch: 50}
    test_images: 100
generators:";
    let place = Place::new(&GRID.replace("generators:", another));
    let only = "fashion-mnist-resnet20/validset";
    let answer = place.succeed(&["grid.yaml", "--verbose", "--only", only]);
    for said in [
        "Fashion-MNIST, ResNet20 (fashion-mnist-resnet20-2): not run, nothing of it has been computed yet.",
        "Fashion-MNIST, ResNet20: accuracy ",
    ] {
        assert!(answer.stdout.contains(said), "{said}\n{}", answer.stdout);
    }
}

/// The first line tells what is left out, and the last ten what was found.
#[test]
fn a_run_begins_with_what_is_missing_and_ends_with_a_summary() {
    let place = Place::new(&absent());
    let answer = place.succeed(&["grid.yaml"]);
    let first = answer.stderr.lines().next().unwrap();
    assert!(first.starts_with("2 targets lack their data"), "{first}");
    assert!(first.len() <= 80, "{first}");
    let (_, summary) = answer.stdout.rsplit_once("\n\n").unwrap();
    assert!(summary.lines().count() <= 10, "{summary}");
    for said in [
        " detects most, ",
        "(fine-tuning ",
        "false alarms: 0 of",
        "not run: CIFAR-10, ResNet18 and 1 more",
        "files are in results/mini",
        "next: `runner report grid.yaml`",
    ] {
        assert!(summary.contains(said), "{said}: {summary}");
    }
    // The notes and the other tables come only if asked for.
    assert!(
        !answer.stdout.contains("what the attack did"),
        "{}",
        answer.stdout
    );
    let more = place.succeed(&["-v", "table", "grid.yaml"]).stdout;
    assert!(
        more.contains("what the attack did") && more.contains("table3.csv"),
        "{more}"
    );
    let quiet = place.succeed(&["-q", "grid.yaml"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

/// Everything that a grid lacks is told at once.
#[test]
fn missing_fields_are_told_together() {
    let targets =
        "targets: {a: {dataset: fashion-mnist}, b: {dataset: fashion-mnist, model: resnet20}}\n";
    let answer = Place::new(targets).run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(2));
    let said = "the fields `name`, `title`, `key` and `targets.a.model` are missing";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
}

#[test]
fn lists_are_also_json() {
    let place = Place::new(&absent());
    let json = |arguments: &[&str]| -> serde_json::Value {
        let all = [arguments, &["--json"]].concat();
        serde_json::from_str(&place.succeed(&all).stdout).unwrap()
    };
    let plan = json(&["plan", "grid.yaml"]);
    assert_eq!(plan["steps"].as_array().unwrap().len(), 3 * 9);
    assert_eq!(plan["not_run"].as_array().unwrap().len(), 2);
    assert_eq!(plan["estimate"]["steps_of_unknown_time"], 9);
    assert_eq!(json(&["status", "grid.yaml"])["steps"], 3 * 9);
    let list = json(&["list"]);
    assert!(list["generators"].as_array().unwrap().len() > 3, "{list}");
    assert_eq!(json(&["list", "ours"])["fields"]["samples"]["default"], 150);
    assert_eq!(json(&["data", "list"])[0]["state"], "found");
}

/// After a run the same work has a time.
#[test]
fn a_plan_estimates_from_recorded_steps() {
    let place = Place::new(&grid(""));
    let last = |arguments: &[&str]| {
        let plan = place.succeed(arguments).stdout;
        plan.lines().last().unwrap().to_owned()
    };
    let before = last(&["plan", "grid.yaml"]);
    assert!(before.contains("an unknown time for 9 steps"), "{before}");
    place.succeed(&["grid.yaml"]);
    assert_eq!(
        last(&["plan", "grid.yaml"]),
        "estimate: nothing is to do here"
    );
    let more = last(&["plan", "grid.yaml", "--set", "sample_sets=2"]);
    for said in [
        "8 steps to do; at most ",
        " by recorded steps; ",
        " GB of memory",
    ] {
        assert!(more.contains(said), "{said}: {more}");
    }
}

/// What `list NAME` prints can be pasted into a grid.
#[test]
fn the_example_of_everything_can_be_planned() {
    let place = Place::new(GRID);
    let list = place.succeed(&["list", "--json"]).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let head = "name: a\ntitle: a\nkey: {passphrase: a}\n";
    let target = "targets: [{dataset: fashion-mnist, model: resnet20}]\n";
    let mut examples = 0;
    for kind in ["generators", "attacks", "probes", "reports", "models"] {
        for entry in list[kind].as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            let example = place.succeed(&["list", name]).stdout;
            let target = if kind == "models" { "" } else { target };
            fs::write(
                place.path().join("grid.yaml"),
                format!("{head}{target}{example}"),
            )
            .unwrap();
            place.succeed(&["show", "grid.yaml"]);
            examples += 1;
        }
    }
    assert!(examples > 30, "{examples}");
    let answer = place.run(&["list", "our"]);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer.stderr.contains("did you mean `ours`?"),
        "{}",
        answer.stderr
    );
}

#[test]
fn several_patterns_select_the_steps_of_each() {
    let place = Place::new(GRID);
    let run = "run";
    let only = ["--only", "*/validset", "--only", "*/dbi"];
    place.succeed(&[&[run, "grid.yaml"], &only[..]].concat());
    // A target and two sets.
    assert_eq!(place.records().len(), 3);
    let answer = place.run(&[&["grid.yaml"], &only[..], &["--only", "*/dbo"]].concat());
    assert_eq!(answer.code, Some(2));
    assert!(
        answer
            .stderr
            .starts_with("error: --only */dbo: no step matches"),
        "{}",
        answer.stderr
    );
}

/// Without a grid that names them, records are waste. A dry run deletes nothing.
#[test]
fn clean_deletes_what_no_grid_names() {
    let place = Place::new(&grid(""));
    place.succeed(&["grid.yaml"]);
    let all = place.records().len();
    let clean = ["clean", "grid.yaml"];
    assert!(place.succeed(&clean).stdout.starts_with("0 of 9 deleted"));
    let fewer = grid("").replace("  - dbi: {samples: 6, stage1: {iterations: 12}}\n", "");
    fs::write(place.path().join("grid.yaml"), fewer).unwrap();
    fs::create_dir(place.results().join("store/sets/0123456789abcdef")).unwrap();
    let would = place.succeed(&["clean", "grid.yaml", "--dry-run"]).stdout;
    assert!(would.contains("3 of 10 would be deleted"), "{would}");
    assert_eq!(place.records().len(), all);
    let failed = place
        .succeed(&["clean", "grid.yaml", "--what", "failed"])
        .stdout;
    assert!(failed.contains("1 of 10 deleted"), "{failed}");
    place.succeed(&clean);
    assert_eq!(place.records().len(), all - 2, "a set and its run");
    assert_eq!(place.payloads().len(), 1 + 3);
}

#[test]
fn shells_and_man_get_their_texts() {
    let place = Place::new(GRID);
    let man = place.succeed(&["man"]).stdout;
    assert!(man.contains(".TH runner 1"), "{man}");
    for shell in ["bash", "zsh", "fish"] {
        let text = place.succeed(&["completions", shell]).stdout;
        assert!(text.contains("runner") && text.contains("clean"), "{shell}");
    }
}

#[test]
fn colours_are_as_asked() {
    let place = Place::new(GRID);
    let error = |arguments: &[&str], variable: &str| {
        let mut command = place.command(arguments);
        let output = command.env("NO_COLOR", variable).output().unwrap();
        common::Answer::new(&output).stderr
    };
    let red = error(&["--color", "always", "none.yaml"], "");
    assert!(red.starts_with("\u{1b}[31m"), "{red:?}");
    for plain in [
        error(&["--color", "never", "none.yaml"], ""),
        error(&["none.yaml"], "1"),
    ] {
        assert!(plain.starts_with("error: none.yaml"), "{plain:?}");
    }
}
