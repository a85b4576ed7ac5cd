//! A closed or full standard output or standard error loses no work.
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Answer, GRID, Place};

/// The miniature with one generator and one attack.
fn grid() -> String {
    let generators = GRID.split_once("  - dbi").unwrap().0;
    let attacks = "attacks: [identity]\nattack_seeds: 1\n";
    // A report that this grid has something for: a warning would be the only line of a finished run.
    format!("{generators}{attacks}").replace("[table3]", "[samples]")
}

#[test]
fn standard_error_may_be_full_closed_or_left() {
    let undisturbed = Place::new(&grid());
    let answer = undisturbed.succeed(&["grid.yaml"]);
    assert_ne!(answer.stderr, "");
    for redirections in ["2>/dev/full", "2>&-"] {
        let place = Place::new(&grid());
        let output = place.redirected(redirections, &["grid.yaml"]).output();
        let disturbed = Answer::new(&output.unwrap());
        assert_eq!(disturbed.code, Some(0), "{redirections}");
        assert_eq!(disturbed.stdout, answer.stdout, "{redirections}");
        assert_eq!(place.records(), undisturbed.records(), "{redirections}");
    }

    // The reader closes the pipe after one line, as in `2>&1 | head -1`.
    let place = Place::new(&grid());
    let mut child = place.command(&["grid.yaml"]);
    let mut child = child.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let child = child.as_mut().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    drop(stderr);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.records(), undisturbed.records());
}

#[test]
fn an_error_that_nobody_reads_has_its_exit_code() {
    let place = Place::new(GRID);
    for redirections in ["2>/dev/full", "2>&-"] {
        let refused = place.redirected(redirections, &["other.yaml"]).output();
        assert_eq!(refused.unwrap().status.code(), Some(2), "{redirections}");
    }
}

#[test]
fn what_cannot_be_printed_is_said_after_all_is_written() {
    let place = Place::new(&grid());
    let output = place.redirected(">/dev/full", &["grid.yaml"]).output();
    let full = Answer::new(&output.unwrap());
    assert_eq!(full.code, Some(1));
    let last = full.stderr.lines().last().unwrap();
    let told = "error: cannot write to standard output: No space left on device";
    assert!(last.starts_with(told), "{last}");
    assert!(place.results().join("mini/run.json").exists());

    // Nothing is left to do.
    let again = place.succeed(&["grid.yaml"]);
    assert_eq!(again.stderr, "");
}

/// A closed pipe is no failure, and does not hide a failed step.
#[test]
fn a_failed_step_has_its_exit_code_though_nobody_reads() {
    let diverges = grid().replace("[identity]", "[finetune: {lr: 1e38, steps: 3, batch: 20}]");
    for (grid, code) in [(grid(), 0), (diverges, 1)] {
        let place = Place::new(&grid);
        let mut child = place.command(&["grid.yaml"]);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{said}");
    }
}
