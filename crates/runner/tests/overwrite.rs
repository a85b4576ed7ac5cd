//! Existing tables survive runs of another grid, key or scale, and a folder that cannot be written.

mod common;

use std::fs;

use common::{Answer, Place};

/// A target, a set and an attack that take a second.
const GRID: &str = "\
name: small
title: Small
reports: [attacks]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    width: 0.25
    train: {epochs: 1, images: 20, batch: 10}
    test_images: 10
generators: [dbi: {samples: 4, stage1: {iterations: 2}}]
attacks: [prune]
desk: {seed: 1}
";

fn shown(place: &Place) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| fs::read(place.results().join(name)).unwrap();
    (read("small/attacks.md"), read("report.html"))
}

fn made() -> Place {
    let place = Place::new(GRID);
    place.succeed(&["grid.yaml"]);
    place.succeed(&["report", "grid.yaml"]);
    place
}

/// Checks that each command refuses to overwrite the results, and that `table --force` overwrites them.
fn spares(place: &Place, arguments: &[&str], said: &str) {
    let before = shown(place);
    let records = place.records().len();
    for command in [&[][..], &["table"], &["plot"], &["report"]] {
        let all = [command, arguments].concat();
        let answer = place.run(&all);
        assert_eq!(
            answer.code,
            Some(2),
            "{all:?} {}{}",
            answer.stdout,
            answer.stderr
        );
        for said in [said, "--force"] {
            assert!(answer.stderr.contains(said), "{all:?} {}", answer.stderr);
        }
        assert_eq!(answer.stdout, "", "{all:?}");
        assert!(shown(place) == before, "{all:?}");
        assert_eq!(place.records().len(), records, "{all:?} began to work");
    }
    place.succeed(&[&["table"], arguments, &["--force"]].concat());
    assert!(shown(place).0 != before.0);
}

#[test]
fn another_grid_of_the_name() {
    let place = made();
    fs::write(
        place.path().join("other.yaml"),
        GRID.replace("seed: 1", "seed: 2"),
    )
    .unwrap();
    spares(&place, &["other.yaml"], "it was made from grid.yaml");
}

#[test]
fn another_scale() {
    spares(
        &made(),
        &["grid.yaml", "--scale", "paper"],
        "at the scale `desk`",
    );
}

#[test]
fn another_key() {
    let place = made();
    let key = ["grid.yaml", "--set", "key.passphrase=other"];
    spares(&place, &key, "with another key");
}

/// The changed grid has a row less.
#[test]
fn a_grid_that_says_less() {
    spares(
        &made(),
        &["grid.yaml", "--set", "attacks=[]"],
        "1 of the 3 steps that it shows would be lost",
    );
}

#[test]
fn records_that_are_gone() {
    let place = made();
    for record in fs::read_dir(place.results().join("store/runs")).unwrap() {
        fs::remove_file(record.unwrap().path()).unwrap();
    }
    let before = shown(&place);
    for command in ["table", "plot", "report"] {
        let answer = place.run(&[command, "grid.yaml"]);
        assert_eq!(answer.code, Some(2), "{command} {}", answer.stderr);
        assert!(answer.stderr.contains("would be lost"), "{}", answer.stderr);
        assert!(shown(&place) == before);
    }
    // A run makes them again.
    place.succeed(&["grid.yaml"]);
    assert!(shown(&place).0 == before.0);
}

#[test]
fn a_journal_that_says_nothing() {
    let place = made();
    fs::write(place.results().join("small/run.json"), "{}").unwrap();
    let answer = place.run(&["table", "grid.yaml"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("does not say what it shows"),
        "{}",
        answer.stderr
    );
    place.succeed(&["table", "grid.yaml", "--force"]);
    place.succeed(&["table", "grid.yaml"]);
}

#[test]
fn tables_without_a_journal() {
    let place = made();
    fs::remove_file(place.results().join("small/run.json")).unwrap();
    let answer = place.run(&["table", "grid.yaml"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = "run.json: it is gone, so nothing says what the tables beside it show";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    place.succeed(&["table", "grid.yaml", "--force"]);
    place.succeed(&["table", "grid.yaml"]);
}

/// The usual work: the new tables show all old steps and some more.
#[test]
fn a_grid_that_says_more_is_written_over_the_old_tables() {
    let place = made();
    let more = [
        "grid.yaml",
        "--set",
        "attacks=[prune, quantize]",
        "--set",
        "title=More",
    ];
    place.succeed(&more);
    place.succeed(&[&["report"], &more[..]].concat());
}

#[cfg(unix)]
#[test]
fn a_results_folder_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let place = made();
    let printed = place.succeed(&["table", "grid.yaml"]).stdout;
    let allow = |mode| {
        let folder = place.results().join("small");
        for path in [place.path().to_owned(), place.results(), folder] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    allow(0o555);
    let mut command = place.command(&["table", "grid.yaml"]);
    // Root ignores read-only permissions, so run as another user.
    if fs::write(place.results().join("small/probe"), "").is_ok() {
        command.uid(65534);
    }
    let answer = Answer::new(&command.output().unwrap());
    allow(0o755);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(
        answer.stderr.starts_with("WARNING: nothing was written: "),
        "{}",
        answer.stderr
    );
    // It prints the same, but that there are files.
    let without_files = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains(" files are in "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(without_files(&answer.stdout), without_files(&printed));
    assert!(
        !answer.stdout.contains(" files are in "),
        "{}",
        answer.stdout
    );
}
