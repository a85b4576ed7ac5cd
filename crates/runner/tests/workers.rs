//! Several workers share one plan: each step is computed once, and the records are those of an undisturbed run.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use brink_random::Stream;
use common::{Answer, GRID, Place, STEPS, parsed};
use serde_json::Value;

/// The records without how, where and when they were computed.
fn rows(place: &Place) -> Vec<(String, Value)> {
    let mut records = place.records();
    for (_, record) in &mut records {
        record.as_object_mut().unwrap().remove("provenance");
    }
    records
}

fn assert_same(place: &Place, undisturbed: &Place) {
    assert_eq!(rows(place), rows(undisturbed));
    assert_eq!(place.payloads(), undisturbed.payloads());
    assert_eq!(place.states(), 0);
    for folder in ["claims", "failed"] {
        let left = fs::read_dir(place.results().join("store").join(folder));
        assert_eq!(left.unwrap().count(), 0, "{folder}");
    }
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(child: Child) -> Answer {
    Answer::new(&child.wait_with_output().unwrap())
}

/// How often each step was begun, by what the workers say.
fn begun(said: &[Answer]) -> BTreeMap<String, usize> {
    let mut begun = BTreeMap::new();
    let lines = said.iter().flat_map(|answer| answer.stderr.lines());
    for line in lines.filter_map(|line| line.strip_suffix(": begins")) {
        let (_, name) = line.split_once("] ").unwrap();
        *begun.entry(name.to_owned()).or_default() += 1;
    }
    begun
}

#[test]
fn three_workers_compute_every_step_once() {
    let undisturbed = Place::new(GRID);
    undisturbed.succeed(&["grid.yaml"]);
    let place = Place::new(GRID);
    let workers = [(); 3].map(|()| start(&place, &["work", "grid.yaml", "--wait"]));
    let said = workers.map(end);
    for answer in &said {
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    }
    let begun = begun(&said);
    // A target, four sets and five attacks.
    assert_eq!(begun.len(), 10);
    assert!(begun.values().all(|times| *times == 1), "{begun:?}");
    assert_same(&place, &undisturbed);

    let status = place.succeed(&["status", "grid.yaml", "--json", "--watch"]);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(
        (&status["done"], &status["waiting"]),
        (&STEPS.into(), &0.into())
    );
    assert_eq!(status["workers"], Value::Array(Vec::new()));
}

#[test]
fn one_command_runs_two_workers() {
    let undisturbed = Place::new(GRID);
    let tables = undisturbed.succeed(&["grid.yaml"]).stdout;
    let place = Place::new(GRID);
    let answer = place.succeed(&["grid.yaml", "--workers", "2"]);
    assert_eq!(answer.stdout, tables);
    let done = answer
        .stderr
        .lines()
        .filter(|line| line.ends_with(": done"));
    assert_eq!(done.count(), STEPS, "{}", answer.stderr);
    assert_same(&place, &undisturbed);
}

#[test]
fn workers_are_killed_at_random_moments() {
    let undisturbed = Place::new(GRID);
    let began = Instant::now();
    undisturbed.succeed(&["grid.yaml"]);
    let whole = began.elapsed();

    let place = Place::new(GRID);
    let work = [
        "work",
        "grid.yaml",
        "--wait",
        "--expire",
        "2",
        "--save-every",
        "1",
    ];
    let mut stream = Stream::new(26).split("kill");
    let mut workers = [(); 2].map(|()| start(&place, &work));
    for kill in 0..8 {
        sleep(whole.mul_f32(0.05 + 0.2 * stream.uniform()));
        let worker = &mut workers[kill % 2];
        worker.kill().unwrap();
        worker.wait().unwrap();
        *worker = start(&place, &work);
    }
    for answer in workers.map(end) {
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    }
    assert_same(&place, &undisturbed);
    // Alone again, the folder is swept.
    place.succeed(&["grid.yaml"]);
    assert_same(&place, &undisturbed);
}

/// A step that ends its workers, e.g. for lack of memory, is told as failed instead of ending one after the other.
#[test]
fn a_step_in_which_many_workers_died_is_not_tried_again() {
    let undisturbed = Place::new(GRID);
    undisturbed.succeed(&["grid.yaml", "--only", "*/validset"]);
    let records = undisturbed.records();
    let (_, set) = records
        .iter()
        .find(|(name, _)| name.contains("sets/"))
        .unwrap();
    let id = set["id"].as_str().unwrap();

    let place = Place::new(GRID);
    let claims = place.results().join("store/claims");
    fs::create_dir_all(&claims).unwrap();
    let claim = |number: u32| {
        let claim = serde_json::json!({
            "step": id, "number": number, "worker": "0123456789abcdef",
            "since": "2026-01-01T00:00:00Z", "token": "0123456789abcdef"
        });
        fs::write(claims.join(format!("{id}.{number}")), claim.to_string()).unwrap();
    };
    // Nine deaths may be bad luck.
    (1..=10).for_each(claim);
    let work = ["work", "grid.yaml", "--only", "*/validset", "--wait"];
    let answer = end(start(&place, &work));
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("10 workers ended in the middle of it; look for a lack of memory"),
        "{}",
        answer.stderr
    );
    let status = place.succeed(&["status", "grid.yaml", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(
        status["failed"].to_string().contains("10 workers ended"),
        "{status}"
    );
    // Whoever runs it alone tries again.
    place.succeed(&["grid.yaml", "--only", "*/validset"]);
    assert_eq!(rows(&place), rows(&undisturbed));
}

/// Builds the library that makes calls fail; `None` without a C compiler.
#[cfg(target_os = "linux")]
fn faults(place: &Place) -> Option<std::path::PathBuf> {
    let library = place.path().join("faults.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/faults.c");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library.as_os_str(), source.as_ref(), "-ldl".as_ref()])
        .status();
    match built {
        Ok(status) if status.success() => Some(library),
        _ => {
            eprintln!("skipped: there is no C compiler");
            None
        }
    }
}

/// Stale handles and a full disk end a worker with the file's name and the cause, or are waited out; the next worker goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_with_faults_loses_nothing() {
    let undisturbed = Place::new(GRID);
    undisturbed.succeed(&["grid.yaml"]);
    // Fewer calls can find the disk full than a handle stale.
    for (errno, cause, share) in [
        ("116", "Stale file handle", "15"),
        ("28", "No space left on device", "60"),
    ] {
        let place = Place::new(GRID);
        let Some(library) = faults(&place) else {
            return;
        };
        let mut failures = 0;
        let mut worker = |share: &str| {
            let work = [
                "work",
                "grid.yaml",
                "--wait",
                "--expire",
                "2",
                "--save-every",
                "1",
            ];
            let mut command = place.command(&work);
            command
                .env("LD_PRELOAD", &library)
                .env("FAULTS_PART", "results/store")
                .env("FAULTS_ERRNO", errno)
                .env("FAULTS_SHARE", share)
                .env("FAULTS_LOCKS", "1");
            let answer = Answer::new(&command.output().unwrap());
            if answer.code != Some(0) {
                failures += 1;
                assert!(
                    answer.code.is_some_and(|code| code < 3),
                    "{}",
                    answer.stderr
                );
                let last = answer.stderr.lines().last().unwrap();
                assert!(last.contains(cause), "{}", answer.stderr);
            }
        };
        (0..8).for_each(|_| worker(share));
        worker("0");
        assert!(failures > 0, "{cause} never happened");
        let failed = fs::read_dir(place.results().join("store/failed")).unwrap();
        let failed = failed.map(|note| fs::read_to_string(note.unwrap().path()).unwrap());
        let failed: Vec<String> = failed.collect();
        assert!(
            failed.is_empty(),
            "a fault of the disk is no fault of a step: {failed:?}"
        );
        assert_same(&place, &undisturbed);
    }
}

/// A network file system may show the names in a folder late. One of three workers is killed, so that another one must find its claim.
#[cfg(target_os = "linux")]
#[test]
fn stale_listings_lose_nothing() {
    let undisturbed = Place::new(GRID);
    undisturbed.succeed(&["grid.yaml"]);
    for stale in ["300", "3000"] {
        let place = Place::new(GRID);
        let Some(library) = faults(&place) else {
            return;
        };
        let work = ["work", "grid.yaml", "--wait", "--expire", "2"];
        let mut workers = [(); 3].map(|()| {
            let mut command = place.command(&work);
            command
                .env("LD_PRELOAD", &library)
                .env("FAULTS_PART", "results/store")
                .env("FAULTS_STALE", stale);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        let claims = place.results().join("store/claims");
        while !fs::read_dir(&claims).is_ok_and(|mut claims| claims.next().is_some()) {
            sleep(Duration::from_millis(5));
        }
        workers[0].kill().unwrap();
        let [_, others @ ..] = workers.map(end);
        for answer in &others {
            assert_eq!(answer.code, Some(0), "{stale}: {}", answer.stderr);
        }
        assert_same(&place, &undisturbed);
    }
}

/// Without locks, one process cannot keep others out, and says so.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_locks_is_for_workers_only() {
    let place = Place::new(GRID);
    let Some(library) = faults(&place) else {
        return;
    };
    let mut command = place.command(&["grid.yaml"]);
    command.env("LD_PRELOAD", &library).env("FAULTS_LOCKS", "1");
    let answer = Answer::new(&command.output().unwrap());
    assert_ne!(answer.code, Some(0));
    assert!(
        answer
            .stderr
            .contains("cannot be locked (No locks available"),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("use `runner work`"),
        "{}",
        answer.stderr
    );
}

/// A worker is stopped for longer than its claim holds. Another one takes over its step; the first throws its work away.
#[cfg(unix)]
#[test]
fn a_worker_that_wakes_up_late_throws_its_work_away() {
    let grid = GRID.replace("images: 300, batch: 50", "images: 300, batch: 10");
    let undisturbed = Place::new(&grid);
    undisturbed.succeed(&["grid.yaml", "--only", "*/validset"]);
    let place = Place::new(&grid);
    let work = [
        "work",
        "grid.yaml",
        "--only",
        "*/validset",
        "--wait",
        "--expire",
        "2",
        "--save-every",
        "1",
    ];
    let late = start(&place, &work);
    while place.states() == 0 {
        sleep(Duration::from_millis(5));
    }
    common::signal(&late, "STOP");
    let other = end(start(&place, &work));
    common::signal(&late, "CONT");
    let late = end(late);
    assert_eq!((other.code, late.code), (Some(0), Some(0)));
    let lost = "another worker has taken over step";
    assert!(late.stderr.contains(lost), "{}", late.stderr);
    assert!(
        late.stderr.contains("its result is thrown away"),
        "{}",
        late.stderr
    );
    assert_same(&place, &undisturbed);
}

/// As a scheduler does before the time limit.
#[cfg(unix)]
#[test]
fn a_signal_saves_the_state_and_gives_back_the_claim() {
    for (name, code) in [("USR1", 138), ("TERM", 143)] {
        let place = Place::new(&GRID.replace("epochs: 1", "epochs: 100"));
        let worker = start(&place, &["work", "grid.yaml", "--save-every", "1"]);
        while place.states() == 0 {
            sleep(Duration::from_millis(5));
        }
        let running = place.succeed(&["status", "grid.yaml"]).stdout;
        let pid = worker.id();
        let said = format!("running: fashion-mnist-resnet20, by process {pid} on ");
        assert!(running.contains(&said), "{running}");
        common::signal(&worker, name);
        let answer = end(worker);
        assert_eq!(answer.code, Some(code), "{}", answer.stderr);
        // After SIGTERM, an iteration of more than 1.5 seconds is lost.
        let saved = answer.stderr.contains("its state is saved");
        assert!(saved || name == "TERM", "{}", answer.stderr);
        assert_eq!(place.states(), 1);
        for folder in ["claims", "workers"] {
            let left = fs::read_dir(place.results().join("store").join(folder));
            assert_eq!(left.unwrap().count(), 0, "{folder}");
        }
    }
}

#[test]
fn workers_that_do_not_fit_are_refused_before_any_work() {
    let place = Place::new(&GRID.replace("epochs: 1", "epochs: 1000"));
    let mut first = start(&place, &["work", "grid.yaml"]);
    let cards = place.results().join("store/workers");
    while fs::read_dir(&cards).map_or(0, Iterator::count) == 0 {
        sleep(Duration::from_millis(10));
    }
    let refused: [(&[&str], &str); 4] = [
        (
            &["work", "grid.yaml", "--set", "seed=7"],
            "with for `mini` the seed 0, but this command has for `mini` the seed 7",
        ),
        (
            &["work", "grid.yaml", "--set", "key={passphrase: other}"],
            "the key with the check ",
        ),
        (
            &["work", "grid.yaml", "--folder", "0123456789abcdef"],
            "the path is not shared between hosts",
        ),
        (&["grid.yaml"], "is in use by "),
    ];
    let answers: Vec<_> = refused
        .iter()
        .map(|(arguments, said)| (place.run(arguments), said))
        .collect();
    first.kill().unwrap();
    first.wait().unwrap();
    for (answer, said) in answers {
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
}

#[test]
fn a_step_that_fails_is_told_and_not_tried_by_others() {
    let grid = GRID.replace(
        "validset: {samples: 6}",
        "validset: {samples: 6}\n  - ibsf: {samples: 999}",
    );
    let place = Place::new(&grid);
    let alone = Place::new(&grid);
    let code = alone.run(&["grid.yaml"]).code;
    let two = place.run(&["grid.yaml", "--workers", "2"]);
    assert_eq!(two.code, code, "{}", two.stderr);
    assert_eq!(rows(&place), rows(&alone));
}

/// A template in place of the usual ones: it writes down what it was given.
#[test]
fn a_template_runs_whatever_scheduler_there_is() {
    let place = Place::new(GRID);
    let template =
        "set -eu\ncd {{ folder }}\n{{ worker }}\n{{ tables }}\necho {{ workers }} {{ options }}\n";
    fs::write(place.path().join("local.sh"), template).unwrap();
    let submit = [
        "submit",
        "grid.yaml",
        "--template",
        "local.sh",
        "--array-limit",
        "3",
    ];
    let answer = place.succeed(&[&submit[..], &["--", "--time=1", "a b"]].concat());
    assert!(
        answer.stdout.ends_with("3 --time=1 a b\n"),
        "{}",
        answer.stdout
    );
    let script = fs::read_to_string(place.results().join("jobs/mini/submit.sh")).unwrap();
    let name = fs::read_to_string(place.results().join("store/folder")).unwrap();
    assert!(
        script.contains(&format!("--wait --folder {name}\n")),
        "{script}"
    );
    assert_eq!(place.records().len(), STEPS);
    assert_eq!(
        parsed(&place.results().join("mini/run.json"))["runs_to_do"],
        0
    );

    fs::write(place.path().join("local.sh"), "{{ walltime }}").unwrap();
    let answer = place.run(&submit);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer.stderr.contains("--template local.sh"),
        "{}",
        answer.stderr
    );
    let key = [
        "submit",
        "grid.yaml",
        "--set",
        "key={passphrase: secret words}",
    ];
    let answer = place.run(&key);
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("--key-file"), "{}", answer.stderr);
    assert!(!answer.stderr.contains("secret words"), "{}", answer.stderr);
}
