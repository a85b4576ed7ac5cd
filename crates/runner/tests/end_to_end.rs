//! The main job in miniature, from a grid file to tables and figures.

mod common;

use std::fs;
use std::io::Write;

use common::{GRID, Place, STEPS};
use serde_json::Value;

#[test]
fn a_grid_becomes_records_tables_and_figures_and_again_the_same() {
    let place = Place::new(GRID);
    let answer = place.succeed(&["grid.yaml"]);
    assert!(answer.stdout.contains("Table III"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("false alarms: 0 of"),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains("top-1 "), "{}", answer.stdout);
    let records = place.records();
    assert_eq!(records.len(), STEPS);
    assert_eq!(place.states(), 0);
    // A run counts the same steps as `status`. Steps 6 to 9 are the runs of one attack on all four sets.
    for told in [
        format!("{STEPS} of {STEPS} steps done in "),
        format!("[6-9/{STEPS}] fashion-mnist-resnet20/finetune/lr=0/seed0: begins"),
    ] {
        assert!(answer.stderr.contains(&told), "{told}\n{}", answer.stderr);
    }
    let status = place.succeed(&["status", "grid.yaml"]).stdout;
    let told = format!("{STEPS} of   {STEPS}  in all");
    assert!(status.contains(&told), "{status}");
    let mini = place.results().join("mini");
    let more = place.succeed(&["table", "grid.yaml", "-v"]);
    for file in [
        "table3.md",
        "table3.tex",
        "table3.csv",
        "table3.parquet",
        "table3.svg",
        "table3.png",
    ] {
        assert!(fs::metadata(mini.join(file)).unwrap().len() > 100, "{file}");
        let drawn = file.ends_with("svg") || file.ends_with("png");
        assert!(drawn || more.stdout.contains(file), "{file} is not named");
    }

    // At learning rate 0, no weight changes and no label flips.
    let runs: Vec<&Value> = records
        .iter()
        .map(|(_, record)| record)
        .filter(|r| !r["attack"].is_null())
        .collect();
    for run in runs.iter().filter(|run| run["spec"]["lr"] == 0.0) {
        assert_eq!(run["change"]["changed"], 0);
        assert_eq!(run["single"]["hits"], 0);
        assert_eq!(run["accuracy_before"], run["accuracy_after"]);
    }
    // At the highest learning rate, some label flips.
    assert!(
        runs.iter()
            .any(|run| run["single"]["hits"].as_u64() > Some(0))
    );

    // `run.json` names every step with its time.
    let run: Value = serde_json::from_slice(&fs::read(mini.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["steps"].as_array().unwrap().len(), STEPS);
    assert_eq!(run["scale"], "desk");
    assert_eq!(
        run["config"]["targets"]["fashion-mnist-resnet20"]["train"]["epochs"],
        1
    );
    assert!(
        run["config"].get("key").is_none(),
        "a key does not belong in results"
    );

    // A second run has nothing to do, and gives the same tables.
    let table = fs::read(mini.join("table3.md")).unwrap();
    let again = place.succeed(&["grid.yaml"]);
    assert_eq!(again.stderr, "");
    assert_eq!(again.stdout, answer.stdout);
    assert_eq!(fs::read(mini.join("table3.md")).unwrap(), table);

    // A new run with another number of threads gives the same numbers, weights and samples, bit for bit.
    let other = Place::new(GRID);
    let run = other
        .command(&["grid.yaml"])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(run.status.success());
    let without_threads = |records: Vec<(String, Value)>| -> Vec<(String, Value)> {
        let strip = |(name, mut record): (String, Value)| {
            record["provenance"]
                .as_object_mut()
                .unwrap()
                .remove("threads");
            (name, record)
        };
        records.into_iter().map(strip).collect()
    };
    assert_eq!(without_threads(other.records()), without_threads(records));
    assert_eq!(other.payloads(), place.payloads());
}

#[test]
fn reports_are_made_from_records_alone() {
    let place = Place::new(&GRID.replace("attack_seeds: 2", "attack_seeds: 1"));
    let computed = place.succeed(&["grid.yaml"]);
    let mini = place.results().join("mini");
    let figure = fs::read(mini.join("table3.svg")).unwrap();
    fs::remove_dir_all(&mini).unwrap();
    // Reports need only records, no weights and no samples.
    for (path, _) in place.payloads() {
        fs::remove_file(place.path().join(path)).unwrap();
    }
    let before = place.records();

    let table = place.succeed(&["table", "grid.yaml"]);
    assert!(
        computed
            .stdout
            .starts_with(table.stdout.split("results/").next().unwrap())
    );
    let plot = place.succeed(&["plot", "grid.yaml"]);
    assert_eq!(
        plot.stdout,
        "results/mini/table3.svg\nresults/mini/table3.png\n"
    );
    assert_eq!(fs::read(mini.join("table3.svg")).unwrap(), figure);
    assert_eq!(place.records(), before);
}

#[test]
fn only_a_part_is_done_with_what_it_needs_and_the_rest_later() {
    let place = Place::new(GRID);
    place.succeed(&["grid.yaml", "--only", "*/dbi/*/lr=1e-3/seed1"]);
    // The target, one set, one run.
    assert_eq!(place.records().len(), 3);
    let status = place.succeed(&["status", "grid.yaml"]);
    assert_eq!(
        status.stdout,
        "   3 of   25  fashion-mnist-resnet20\n   3 of   25  in all\n"
    );
    let plan = place.succeed(&["plan", "grid.yaml", "--only", "*/dbi*"]);
    let done = plan
        .stdout
        .lines()
        .filter(|line| line.starts_with("done"))
        .count();
    assert_eq!(
        (done, plan.stdout.lines().count()),
        // The estimate is a line, too.
        (3, 2 + 5 + 1),
        "{}",
        plan.stdout
    );

    let whole = Place::new(GRID);
    place.succeed(&["grid.yaml"]);
    whole.succeed(&["grid.yaml"]);
    assert_eq!(place.records(), whole.records());
}

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let place = Place::new(GRID);
    let answer = place.succeed(&["grid.yaml", "--dry-run"]);
    let (steps, estimate) = answer.stdout.trim_end().rsplit_once('\n').unwrap();
    assert!(
        estimate.starts_with(&format!("estimate: {STEPS} steps to do; ")),
        "{estimate}"
    );
    assert_eq!(steps.lines().count(), STEPS);
    assert!(steps.lines().all(|line| line.starts_with("to do")));
    assert!(
        answer
            .stdout
            .contains("fashion-mnist-resnet20/ours/finetune/lr=1e-5/seed1")
    );
    assert!(!place.results().exists());
    assert_eq!(answer.stdout, place.succeed(&["plan", "grid.yaml"]).stdout);
}

#[test]
fn samples_of_a_balanced_head_are_judged_by_that_head() {
    let place = Place::new(GRID);
    let balanced = ["grid.yaml", "--set", "head_balance=0.1"];
    let answer = place.succeed(&balanced);
    assert!(
        answer.stdout.contains("false alarms: 0 of"),
        "{}",
        answer.stdout
    );
    assert_eq!(place.records().len(), STEPS);
    // A later run reads the sets. Each set stores the name of its head, so the head is found again.
    let more = [&balanced[..], &["--set", "attack_seeds=3"]].concat();
    let answer = place.succeed(&more);
    assert!(place.records().len() > STEPS);
    assert!(
        answer.stdout.contains("false alarms: 0 of"),
        "{}",
        answer.stdout
    );
}

#[test]
fn what_goes_into_a_step_changes_its_id_and_what_does_not_does_not() {
    let place = Place::new(GRID);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let all = [&["plan", "grid.yaml"], arguments].concat();
        let plan = place.succeed(&all).stdout;
        let id = |line: &str| {
            let mut words = line.split_whitespace();
            words.find(|word| word.len() == 16).map(str::to_owned)
        };
        let steps = plan.lines().filter(|line| !line.starts_with("estimate: "));
        steps.map(|line| id(line).unwrap()).collect()
    };
    let (target, set, run) = (0, 4, STEPS - 1);
    let plain = ids(&[]);
    for same in [
        &["--out", "elsewhere"] as &[_],
        &["--scale", "paper"],
        &["--set", "name=other"],
        &["--set", "attack_seeds=2"],
    ] {
        assert_eq!(ids(same), plain, "{same:?}");
    }
    for other in [
        "seed=1",
        "targets.fashion-mnist-resnet20.train.epochs=2",
        "targets.fashion-mnist-resnet20.test_images=50",
    ] {
        let other = ids(&["--set", other]);
        assert_ne!(other[target], plain[target]);
        assert_ne!(other[run], plain[run]);
    }
    for other in [
        "generators.ours.stage2.alpha=1e-3",
        "key.passphrase=another",
        "head_balance=0.2",
    ] {
        let other = ids(&["--set", other]);
        assert_eq!(other[target], plain[target]);
        assert_ne!(other[set], plain[set]);
        assert_ne!(other[run], plain[run]);
    }
    let other = ids(&["--set", "attacks.finetune.steps=4"]);
    assert_eq!(other[..=set], plain[..=set]);
    assert_ne!(other[run], plain[run]);
}

#[test]
fn accuracy_on_a_validation_set_stands_beside_that_on_the_test_images() {
    let grid = GRID
        .replace("images: 300", "images: 300, validation: 0.2")
        .replace("table3", "table1");
    let place = Place::new(&grid);
    let answer = place.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    let (_, target) = &place.records()[0];
    // A fifth of the 10,000 embedded training images for validation, and 300 of the rest for training.
    assert_eq!(target["validation"]["of"], 2000);
    assert_eq!(target["train_images"], 300);
    let hits = target["validation"]["hits"].as_u64().unwrap();
    assert!(answer.stderr.contains(&format!(", validation {hits}/2000")));
    let percent = format!("{:.2}", hits as f64 / 20.0);
    let table = fs::read_to_string(place.results().join("mini/table1.md")).unwrap();
    let mut lines = table.lines().filter(|line| line.starts_with('|'));
    assert!(lines.next().unwrap().ends_with("validation |"), "{table}");
    assert!(table.contains(&format!("| {percent} |")), "{table}");
}

#[test]
fn another_key_takes_the_place_of_the_grids() {
    let place = Place::new(GRID);
    let plan = place.succeed(&["plan", "grid.yaml"]).stdout;
    let digits = "00112233445566778899aabbccddeeff";
    let by_variable = place
        .command(&["plan", "grid.yaml"])
        .env("BRINK_KEY", digits)
        .output()
        .unwrap();
    fs::write(place.path().join("key"), format!("{digits}\n")).unwrap();
    let by_file = place
        .succeed(&["plan", "grid.yaml", "--key-file", "key"])
        .stdout;
    assert_eq!(String::from_utf8(by_variable.stdout).unwrap(), by_file);
    assert_ne!(by_file, plan);
}

/// A forced instruction set computes the same bits.
#[test]
fn instruction_sets_agree() {
    let isa = brink_ops::kernel::Isa::Avx2;
    if !isa.is_available() {
        // The test harness hides what a passed test prints, but not what it writes.
        let line = format!("skipped: this processor has no {isa}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    let [best, forced] = [[].as_slice(), &["--isa", "avx2"]].map(|isa| {
        let place = Place::new(GRID);
        place.succeed(&[&["grid.yaml", "--only", "*/ours"], isa].concat());
        place.payloads()
    });
    assert_eq!(best, forced);
}
