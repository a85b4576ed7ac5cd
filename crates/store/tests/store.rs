//! What a results folder promises: whole steps or none, one writer, and messages that say what to do.

use std::error::Error as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::json;
use spec::Id;
use store::{
    Change, Error, FORMAT, Measured, ProbeRecord, Provenance, RunRecord, SetRecord, Stop, Store,
    TargetRecord, Timing, now,
};
use tempfile::TempDir;
use verify::{Control, Difference, LabelSpace, Layout, Pixels, Rate};

fn id(label: &str) -> Id {
    Id::of(&label).expect("text has an id")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn target() -> TargetRecord {
    TargetRecord {
        format: FORMAT,
        id: id("target"),
        dataset: "fashion-mnist".into(),
        dataset_title: "Fashion-MNIST".into(),
        model: "resnet18".into(),
        classes: 10,
        input: [3, 32, 32],
        parameters: 11_181_642,
        spec: json!({"epochs": 3, "lr": 0.1}),
        seed: 1,
        accuracy: Rate::new(1_712, 2_000),
        validation: Some(Rate::new(812, 1_000)),
        train_images: 10_000,
        epochs: 3.0,
        weights_sha256: None,
        content: None,
        provenance: Provenance {
            started: now(),
            ..Provenance::default()
        },
    }
}

fn set() -> SetRecord {
    SetRecord {
        format: FORMAT,
        id: id("set"),
        target: id("target"),
        generator: "ours".into(),
        spec: json!({"alpha": 1e-6}),
        head_balance: Some(0.3),
        seed: 2,
        label_space: LabelSpace::Head,
        layout: Layout::Pairs,
        asked: 30,
        made: 29,
        uncrossed: 1,
        iterations_cap: 300,
        iterations_used: 300,
        stop: Stop::Cap,
        margins: vec![1.5e-6, 0.25],
        label_balance: vec![20, 9],
        pixels: Some(Pixels {
            mean: 0.32,
            deviation: 0.39,
            pairs: Some(Difference {
                largest: 1e-6,
                share: 0.87,
            }),
        }),
        controls: vec![Control {
            name: "batches of 7".into(),
            single: Rate::new(0, 58),
            pair: Rate::new(0, 29),
            ..Control::default()
        }],
        provenance: Provenance::default(),
    }
}

fn run() -> RunRecord {
    RunRecord {
        format: FORMAT,
        id: id("run"),
        target: id("target"),
        set: id("set"),
        generator: "ours".into(),
        attack: "finetune".into(),
        spec: json!({"lr": 1e-10}),
        seed: 3,
        single: Rate::new(15, 58),
        pair: Rate::new(15, 29),
        both: 0,
        all_pairs: Some(0.4512),
        same_label: false,
        change: Change {
            weights: 11_181_642,
            changed: 2_000,
            max_abs: 1e-10,
            mean_abs: 3.3e-14,
        },
        steps: 391,
        reached: Some(true),
        success_before: Some(Rate::new(3, 1_800)),
        success_after: Some(Rate::new(1_700, 1_800)),
        classes: None,
        accuracy_before: Rate::new(1_712, 2_000),
        accuracy_after: Rate::new(1_712, 2_000),
        provenance: Provenance::default(),
    }
}

fn probe() -> ProbeRecord {
    ProbeRecord {
        format: FORMAT,
        id: id("probe"),
        target: id("target"),
        probe: "timing".into(),
        spec: json!({"iterations": 1000}),
        seed: 0,
        result: Measured::Timing(vec![Timing {
            generator: "aid".into(),
            variant: "coverage attached".into(),
            samples: 150,
            iterations: 1000,
            seconds: vec![80.25, 79.5],
        }]),
        provenance: Provenance::default(),
    }
}

/// Writes bytes that stand for weights or samples.
fn bytes(content: &'static [u8]) -> impl FnOnce(&Path) -> Result<(), store::BoxError> {
    move |path| Ok(fs::write(path, content)?)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn finished_steps_are_read_back() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    store.put_target(&target(), bytes(b"weights")).unwrap();
    store.put_set(&set(), bytes(b"samples")).unwrap();
    store.put_run(&run()).unwrap();
    store.put_probe(&probe()).unwrap();
    drop(store);

    let store = Store::open_read_only(root.path()).unwrap();
    assert_eq!(store.target(&id("target")).unwrap(), Some(target()));
    assert_eq!(store.set(&id("set")).unwrap(), Some(set()));
    assert_eq!(store.run(&id("run")).unwrap(), Some(run()));
    assert_eq!(store.probe(&id("probe")).unwrap(), Some(probe()));
    assert_eq!(fs::read(store.weights(&id("target"))).unwrap(), b"weights");
    assert_eq!(fs::read(store.samples(&id("set"))).unwrap(), b"samples");
    assert_eq!(store.run(&id("another")).unwrap(), None);
}

#[test]
fn a_second_writer_is_told_who_is_first() {
    let root = folder();
    let first = Store::open(root.path()).unwrap();
    let Err(error) = Store::open(root.path()) else {
        panic!("two writers");
    };
    let message = error.to_string();
    let pid = std::process::id();
    assert!(
        message.contains(&root.path().display().to_string()),
        "{message}"
    );
    assert!(
        message.contains(&format!("in use by process {pid} on ")),
        "{message}"
    );
    assert!(message.contains(" since 20"), "{message}");
    assert!(
        message.contains("choose another results folder"),
        "{message}"
    );
    // A reader needs no lock.
    assert!(Store::open_read_only(root.path()).is_ok());
    drop(first);
    assert!(Store::open(root.path()).is_ok());
}

/// Plays both parts: started by cargo it spawns itself, started by itself it holds the lock until it is killed.
#[test]
fn a_killed_process_leaves_no_lock() {
    const HOLD: &str = "STORE_TEST_HOLD";
    if let Some(root) = std::env::var_os(HOLD) {
        let _store = Store::open(root).unwrap();
        println!("\nheld");
        std::thread::sleep(std::time::Duration::from_secs(60));
        panic!("nobody killed the holder");
    }
    let root = folder();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_no_lock", "--nocapture"])
        .env(HOLD, root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(holder.stdout.take().unwrap());
    assert!(out.lines().any(|line| line.unwrap() == "held"));

    let Err(Error::Locked {
        holder: Some(named),
        ..
    }) = Store::open(root.path())
    else {
        panic!("the other process holds the lock and says so");
    };
    assert_eq!(named.pid, holder.id());
    holder.kill().unwrap();
    holder.wait().unwrap();
    Store::open(root.path()).unwrap();
}

#[test]
fn a_half_written_step_is_invisible() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    // Killed between the weights and the record.
    let weights = store.weights(&id("target"));
    fs::create_dir_all(weights.parent().unwrap()).unwrap();
    fs::write(&weights, b"weights").unwrap();
    // Killed within a file.
    fs::write(
        weights.with_file_name(".partial-record.json"),
        b"{\"format\": 1, \"id",
    )
    .unwrap();
    fs::write(
        root.path().join("runs/.partial-0123456789abcdef.json"),
        b"{",
    )
    .unwrap();
    assert_eq!(store.target(&id("target")).unwrap(), None);
    drop(store);

    // The next writer sweeps, and the step can be done again.
    let store = Store::open(root.path()).unwrap();
    assert_eq!(names(weights.parent().unwrap()), ["weights.safetensors"]);
    assert_eq!(names(&root.path().join("runs")), [""; 0]);
    store.put_target(&target(), bytes(b"better")).unwrap();
    assert_eq!(store.target(&id("target")).unwrap(), Some(target()));
    assert_eq!(fs::read(weights).unwrap(), b"better");
}

#[test]
fn a_failing_save_leaves_nothing() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let error = store
        .put_set(&set(), |path| {
            fs::write(path, b"half of the sam")?;
            Err("a tensor holds NaN".into())
        })
        .unwrap_err();
    assert!(error.to_string().contains("set.safetensors"), "{error}");
    assert_eq!(error.source().unwrap().to_string(), "a tensor holds NaN");
    assert_eq!(store.set(&id("set")).unwrap(), None);
    assert_eq!(
        names(&root.path().join("sets").join(id("set").to_string())),
        [""; 0]
    );
}

#[test]
fn damaged_records_name_the_file_and_the_fix() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    store.put_run(&run()).unwrap();
    let path = root.path().join("runs").join(format!("{}.json", id("run")));
    let whole = fs::read_to_string(&path).unwrap();
    for (text, cause) in [
        (whole[..whole.len() / 2].to_owned(), "EOF"),
        (String::new(), "EOF"),
        (
            whole.replace("\"seed\": 3", "\"seed\": \"three\""),
            "expected u64",
        ),
        (whole.replace("\"hits\": 15", "\"hits\": 99"), "99 hits of"),
        (
            whole.replace("\"single\"", "\"double\""),
            "missing field `single`",
        ),
        (
            whole.replace("\"format\": 1,", ""),
            "missing field `format`",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let error = store.run(&id("run")).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        assert!(
            message.contains("delete it and run the same command again"),
            "{message}"
        );
        let source = error.source().unwrap().to_string();
        assert!(source.contains(cause), "{source}");
    }
}

#[test]
fn later_formats_are_refused_before_they_are_read() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let path = root.path().join("runs").join(format!("{}.json", id("run")));
    fs::write(&path, r#"{"format": 7, "everything": "else differs"}"#).unwrap();
    let message = store.run(&id("run")).unwrap_err().to_string();
    assert!(
        message.starts_with(&path.display().to_string()),
        "{message}"
    );
    assert!(
        message.contains("has format 7, this version reads up to 1: update brink"),
        "{message}"
    );
}

#[test]
fn a_copied_record_is_not_taken_for_another_step() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    store.put_run(&run()).unwrap();
    let runs = root.path().join("runs");
    let copy = runs.join(format!("{}.json", id("another")));
    fs::copy(runs.join(format!("{}.json", id("run"))), copy).unwrap();
    let message = store.run(&id("another")).unwrap_err().to_string();
    assert!(
        message.contains(&format!("holds the record of {}", id("run"))),
        "{message}"
    );
}

#[test]
fn numbers_that_json_lacks_are_refused() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let mut record = run();
    record.change.max_abs = f64::NAN;
    let message = store.put_run(&record).unwrap_err().to_string();
    assert!(message.contains("finite numbers only"), "{message}");
    assert_eq!(store.run(&record.id).unwrap(), None);

    let mut record = set();
    record.margins[1] = f32::INFINITY;
    assert!(matches!(
        store.put_set(&record, bytes(b"samples")),
        Err(Error::Unrepresentable { .. })
    ));
    record.margins[1] = 1.0;
    record.format = FORMAT + 1;
    assert!(matches!(
        store.put_set(&record, bytes(b"samples")),
        Err(Error::Unrepresentable { .. })
    ));
}

#[test]
fn a_reader_cannot_write() {
    let root = folder();
    drop(Store::open(root.path()).unwrap());
    let store = Store::open_read_only(root.path()).unwrap();
    assert!(matches!(store.put_run(&run()), Err(Error::ReadOnly { .. })));
    assert!(matches!(
        store.save_state(&id("run"), &[]),
        Err(Error::ReadOnly { .. })
    ));
    assert!(matches!(
        store.clear_state(&id("run")),
        Err(Error::ReadOnly { .. })
    ));
}

#[test]
fn unusable_folders_are_named() {
    let root = folder();
    let missing = root.path().join("none");
    let message = Store::open_read_only(&missing).unwrap_err().to_string();
    assert!(
        message.contains(&missing.display().to_string()),
        "{message}"
    );
    assert!(message.contains("run a grid first"), "{message}");
    assert!(!missing.exists(), "reading creates nothing");

    let file = root.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let message = Store::open(file.join("results")).unwrap_err().to_string();
    assert!(message.contains("cannot create the folder"), "{message}");
    assert!(
        message.contains("choose another results folder"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_told_before_work() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    store.require_free(1).unwrap();
    let message = store.require_free(u64::MAX).unwrap_err().to_string();
    assert!(
        message.contains("17179869184.0 GiB are needed: free some space"),
        "{message}"
    );
}

#[test]
fn states_are_replaced_and_end_with_their_step() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let step = id("run");
    assert_eq!(store.load_state(&step).unwrap(), None);
    store
        .save_state(&step, &[("weights", b"12"), ("momentum", b"")])
        .unwrap();
    store.save_state(&step, &[("weights", b"345")]).unwrap();
    let saved = Some(vec![("weights".to_owned(), b"345".to_vec())]);
    assert_eq!(store.load_state(&step).unwrap(), saved);

    // Killed while saving the next one: the last whole one counts.
    fs::write(
        root.path().join("state").join(format!(".partial-{step}")),
        b"{\"form",
    )
    .unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.load_state(&step).unwrap(), saved);
    assert_eq!(names(&root.path().join("state")), [step.to_string()]);

    store.put_run(&run()).unwrap();
    assert_eq!(store.load_state(&step).unwrap(), None);
    assert_eq!(names(&root.path().join("state")), [""; 0]);

    // Killed between the record and the end of its state.
    store.save_state(&step, &[]).unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.load_state(&step).unwrap(), None);
    store.clear_state(&step).unwrap();
}

#[test]
fn damaged_states_are_told() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let step = id("run");
    store.save_state(&step, &[("weights", b"1234")]).unwrap();
    let path = root.path().join("state").join(step.to_string());
    let whole = fs::read(&path).unwrap();
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..9],
        &[&whole[..], b"5"].concat(),
    ] {
        fs::write(&path, damaged).unwrap();
        let message = store.load_state(&step).unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
    }
    fs::write(&path, "{\"format\":2,\"parts\":[]}\n").unwrap();
    assert!(matches!(
        store.load_state(&step),
        Err(Error::Future { found: 2, .. })
    ));
}

fn rate() -> impl Strategy<Value = Rate> {
    (0_u64..1 << 40, 0_u64..1 << 40).prop_map(|(hits, misses)| Rate::new(hits, hits + misses))
}

fn finite() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn finite32() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn runs_round_trip(
        (single, pair, accuracy) in (rate(), rate(), rate()),
        (all_pairs, max_abs, lr) in (proptest::option::of(finite()), finite(), finite()),
        (seed, both, same_label) in any::<(u64, u64, bool)>(),
        attack in ".*",
        git in proptest::option::of("[0-9a-f]{40}"),
    ) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let mut record = run();
        record.change.max_abs = max_abs;
        record.provenance.git = git;
        record.spec = json!({"lr": lr, "notes": [attack, null]});
        record = RunRecord { single, pair, accuracy_after: accuracy, all_pairs, seed, both, same_label, attack, ..record };
        store.put_run(&record).unwrap();
        prop_assert_eq!(store.run(&record.id).unwrap(), Some(record));
    }

    #[test]
    fn sets_round_trip(
        margins in prop::collection::vec(finite32(), 0..40),
        label_balance in prop::collection::vec(any::<u64>(), 0..12),
        stop in prop::sample::select(vec![Stop::Converged, Stop::Cap, Stop::None]),
        alarms in rate(),
        name in ".*",
    ) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let controls = vec![Control { name, single: alarms, pair: alarms, ..Control::default() }];
        let record = SetRecord { margins, label_balance, stop, controls, ..set() };
        store.put_set(&record, bytes(b"samples")).unwrap();
        let read = store.set(&record.id).unwrap().unwrap();
        let bits = |record: &SetRecord| record.margins.iter().map(|m| m.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&record));
        prop_assert_eq!(read, record);
    }

    #[test]
    fn targets_round_trip(
        (classes, input, parameters) in any::<(usize, [usize; 3], u64)>(),
        title in ".*",
        (epochs, seconds) in (finite(), finite()),
        crates in prop::collection::btree_map("[a-z-]+", "[0-9.]+", 0..5),
    ) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let mut record = TargetRecord { classes, input, parameters, dataset_title: title, epochs, ..target() };
        record.provenance.crates = crates;
        record.provenance.seconds = seconds;
        store.put_target(&record, bytes(b"weights")).unwrap();
        prop_assert_eq!(store.target(&record.id).unwrap(), Some(record));
    }

    #[test]
    fn states_round_trip(parts in prop::collection::vec((".*", prop::collection::vec(any::<u8>(), 0..99)), 0..5)) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let borrowed: Vec<_> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        store.save_state(&id("step"), &borrowed).unwrap();
        prop_assert_eq!(store.load_state(&id("step")).unwrap(), Some(parts));
    }
}
