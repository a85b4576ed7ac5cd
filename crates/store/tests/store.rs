//! The guarantees of a results folder: complete steps or none, one writer, and messages that say what to do.

mod common;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use brink_store::worker::{EXPIRY, Terms};
use brink_store::{
    Change, Error, FORMAT, ProbeRecord, RunRecord, SetRecord, Stop, Store, TargetRecord,
};
use brink_verify::{Control, Rate};
use common::{ON, bytes, folder, id, probe, run, set, target};
use proptest::prelude::*;
use serde_json::json;

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

/// Runs as two processes. Cargo starts the first, which spawns the second. The second holds the lock until it is killed.
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
    // Killed while writing a file.
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

    // The next writer removes the remains, and the step can be repeated.
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
    let without_checksum = |text: &str| {
        let fields = text.split(",\n  \"sha256\"").next().unwrap();
        format!("{fields}\n}}\n")
    };
    // The record as a version without checksums wrote it.
    let first = without_checksum(&whole).replace("\"format\": 2", "\"format\": 1");
    fs::write(&path, &first).unwrap();
    let old = RunRecord { format: 1, ..run() };
    assert_eq!(
        store.read_with_checksum(&id("run")).unwrap(),
        Some((old, false))
    );
    for (text, cause) in [
        (whole[..whole.len() / 2].to_owned(), "EOF"),
        (String::new(), "EOF"),
        (without_checksum(&whole), "its checksum is missing"),
        (format!("{whole}\n"), "its checksum is missing"),
        (
            whole.replace("\"seed\": 3", "\"seed\": 4"),
            "its checksum does not match",
        ),
        (
            whole.replace("\"format\": 2", "\"format\": 1"),
            "its checksum does not match",
        ),
        (
            first.replace("\"seed\": 3", "\"seed\": \"three\""),
            "expected u64",
        ),
        (first.replace("\"hits\": 15", "\"hits\": 99"), "99 hits of"),
        (
            first.replace("\"single\"", "\"double\""),
            "missing field `single`",
        ),
        (
            first.replace("\"format\": 1,", ""),
            "missing field `format`",
        ),
        (
            first.replace("\"both\": 0", "\"both\": 16"),
            "both members flipped in 16 pairs",
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
            message.contains("delete it and run the grid again"),
            "{message}"
        );
        let source = error.source().unwrap().to_string();
        assert!(source.contains(cause), "{source}, not {cause}");
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
        message.contains("has format 7, this version reads up to 2: update brink"),
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
        store.save_state(&id("run"), ON, &[]),
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
    assert_eq!(store.load_state(&step, ON).unwrap(), None);
    store
        .save_state(&step, ON, &[("weights", b"12"), ("momentum", b"")])
        .unwrap();
    store.save_state(&step, ON, &[("weights", b"345")]).unwrap();
    let saved = Some(vec![("weights".to_owned(), b"345".to_vec())]);
    assert_eq!(store.load_state(&step, ON).unwrap(), saved);

    // Killed while saving the next state: the last complete state is used.
    fs::write(
        root.path().join("state").join(format!(".partial-{step}")),
        b"{\"form",
    )
    .unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.load_state(&step, ON).unwrap(), saved);
    assert_eq!(names(&root.path().join("state")), [step.to_string()]);

    store.put_run(&run()).unwrap();
    assert_eq!(store.load_state(&step, ON).unwrap(), None);
    assert_eq!(names(&root.path().join("state")), [""; 0]);

    // Killed after writing the record and before removing the state.
    store.save_state(&step, ON, &[]).unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.load_state(&step, ON).unwrap(), None);
    store.clear_state(&step).unwrap();

    // The same among workers, which never open the folder alone.
    store.save_state(&step, ON, &[]).unwrap();
    store.save_state(&id("unfinished"), ON, &[]).unwrap();
    drop(store);
    let terms = Terms {
        agreed: BTreeMap::new(),
        expiry: EXPIRY,
        folder: None,
    };
    let _worker = Store::join(root.path(), terms).unwrap();
    let left = names(&root.path().join("state"));
    assert_eq!(left, [id("unfinished").to_string()]);
}

#[test]
fn damaged_states_are_told() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let step = id("run");
    store
        .save_state(&step, ON, &[("weights", b"1234")])
        .unwrap();
    let path = root.path().join("state").join(step.to_string());
    let whole = fs::read(&path).unwrap();
    // Any changed byte is detected.
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1 << bit;
            fs::write(&path, damaged).unwrap();
            assert!(
                store.load_state(&step, ON).is_err(),
                "byte {byte}, bit {bit}"
            );
        }
    }
    fs::write(&path, &whole).unwrap();
    // A state of another step, or one that depends on something else, is refused.
    let other = root.path().join("state").join(id("another").to_string());
    fs::copy(&path, other).unwrap();
    for (step, on, said) in [
        (id("another"), ON, "it is the state of step"),
        (
            step,
            "another sum",
            "it was saved for other weights or images",
        ),
    ] {
        let error = store.load_state(&step, on).unwrap_err();
        let source = error.source().unwrap().to_string();
        assert!(source.contains(said), "{source}");
    }
    let first = b"{\"format\":1,\"parts\":[[\"weights\",4]]}\n1234";
    fs::write(&path, first).unwrap();
    let error = store.load_state(&step, ON).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("an older version wrote it"), "{source}");
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..9],
        &[&whole[..], b"5"].concat(),
    ] {
        fs::write(&path, damaged).unwrap();
        let message = store.load_state(&step, ON).unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
    }
    fs::write(&path, "{\"format\":3,\"parts\":[]}\n").unwrap();
    assert!(matches!(
        store.load_state(&step, ON),
        Err(Error::Future { found: 3, .. })
    ));
}

fn rate() -> impl Strategy<Value = Rate> {
    (0_u64..1 << 40, 1_u64..1 << 40).prop_map(|(hits, misses)| Rate::new(hits, hits + misses))
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
        (one, both, neither) in (0_u64..1 << 40, 0_u64..1 << 40, 1_u64..1 << 40),
        (accuracy, all_pairs) in (rate(), proptest::option::of(0.0..=1.0)),
        (max_abs, lr) in (finite(), finite()),
        (seed, same_label) in any::<(u64, bool)>(),
        attack in ".*",
        git in proptest::option::of("[0-9a-f]{40}"),
    ) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let mut record = run();
        record.change = Change { max_abs: max_abs.abs(), mean_abs: max_abs.abs() / 2.0, ..record.change };
        record.provenance.git = git;
        record.spec = json!({"lr": lr, "notes": [attack, null]});
        let of = one + both + neither;
        record = RunRecord {
            single: Rate::new(one + 2 * both, 2 * of),
            pair: Rate::new(one + both, of),
            accuracy_before: Rate::new(0, accuracy.of()),
            accuracy_after: accuracy,
            all_pairs, seed, both, same_label, attack, ..record
        };
        store.put_run(&record).unwrap();
        prop_assert_eq!(store.run(&record.id).unwrap(), Some(record));
    }

    #[test]
    fn sets_round_trip(
        margins in prop::collection::vec(finite32().prop_map(f32::abs), 1..40),
        zeros in any::<u64>(),
        stop in prop::sample::select(vec![Stop::Converged, Stop::Cap, Stop::None]),
        alarms in 0.0..=1.0,
        name in ".*",
    ) {
        let root = folder();
        let store = Store::open(root.path()).unwrap();
        let (made, asked) = (margins.len() as u64, margins.len() as u64);
        let (images, zeros) = (2 * made, zeros % (2 * made));
        let hits = (alarms * made as f64) as u64;
        let controls = vec![Control { name, single: Rate::new(hits, images), pair: Rate::new(hits, made), ..Control::default() }];
        let record = SetRecord {
            margins, made, asked, uncrossed: 0, label_balance: vec![zeros, images - zeros], stop, controls, ..set()
        };
        store.put_set(&record, bytes(b"samples")).unwrap();
        let read = store.set(&record.id).unwrap().unwrap();
        let bits = |record: &SetRecord| record.margins.iter().map(|m| m.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&record));
        prop_assert_eq!(read, record);
    }

    #[test]
    fn targets_round_trip(
        (classes, parameters) in (2_usize.., 1_u64..),
        input in prop::array::uniform3(1_usize..),
        title in ".*",
        (epochs, seconds) in (finite().prop_map(f64::abs), finite().prop_map(f64::abs)),
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
        store.save_state(&id("step"), ON, &borrowed).unwrap();
        prop_assert_eq!(store.load_state(&id("step"), ON).unwrap(), Some(parts));
    }
}

/// Damaged records and states are either refused or equal to what was written.
#[test]
fn fuzz() {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    let (target, set, run, probe) = (target(), set(), run(), probe());
    store.put_target(&target, bytes(b"weights")).unwrap();
    store.put_set(&set, bytes(b"samples")).unwrap();
    store.put_run(&run).unwrap();
    store.put_probe(&probe).unwrap();
    let parts: [(&str, &[u8]); 2] = [("job", b"1234"), ("seconds", b"5.5")];
    store.save_state(&id("state"), ON, &parts).unwrap();
    let state = store.load_state(&id("state"), ON).unwrap();
    let files = [
        store.record_path::<TargetRecord>(&id("target")),
        store.record_path::<SetRecord>(&id("set")),
        store.record_path::<RunRecord>(&id("run")),
        store.record_path::<ProbeRecord>(&id("probe")),
        root.path().join("state").join(id("state").to_string()),
    ];
    let wholes = files.each_ref().map(|path| fs::read(path).unwrap());
    for mut dice in fuzz::rounds(2_000) {
        let nth = dice.below(files.len());
        let damaged = fuzz::damaged(&wholes[nth], &mut dice);
        fs::write(&files[nth], &damaged).unwrap();
        // Only the unchanged file is accepted: its checksum covers every byte.
        let same = match nth {
            0 => store
                .target(&id("target"))
                .ok()
                .map(|read| read == Some(target.clone())),
            1 => store
                .set(&id("set"))
                .ok()
                .map(|read| read == Some(set.clone())),
            2 => store
                .run(&id("run"))
                .ok()
                .map(|read| read == Some(run.clone())),
            3 => store
                .probe(&id("probe"))
                .ok()
                .map(|read| read == Some(probe.clone())),
            _ => store
                .load_state(&id("state"), ON)
                .ok()
                .map(|read| read == state),
        };
        assert_ne!(same, Some(false), "{}", String::from_utf8_lossy(&damaged));
        fs::write(&files[nth], &wholes[nth]).unwrap();
    }
}
