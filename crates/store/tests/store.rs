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
    Answers, Change, Content, Dispersion, Error, FORMAT, Measured, ProbeRecord, Progress,
    Provenance, RunRecord, SetRecord, Slice, Stop, Store, TargetRecord, Timing, now,
};
use tempfile::TempDir;
use verify::{Control, Difference, LabelSpace, Layout, Pixels, Rate};

fn id(label: &str) -> Id {
    Id::of(&label).expect("text has an id")
}

/// What the saved states rest on.
const ON: &str = "the sum of a target";

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
        weights_sha256: Some("1".repeat(64)),
        content: Some(Content {
            sha256: "2".repeat(64),
            verified: true,
            images: 12_000,
            blank: 0,
            repeated: 0,
        }),
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
        margins: vec![1.5e-6; 30],
        label_balance: vec![30, 28],
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
        samples_sha256: Some("0".repeat(64)),
        target_sha256: target().sum(),
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
        target_sha256: target().sum(),
        samples_sha256: Some("0".repeat(64)),
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
        target_sha256: target().sum(),
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
    let without_checksum = |text: &str| {
        let fields = text.split(",\n  \"sha256\"").next().unwrap();
        format!("{fields}\n}}\n")
    };
    // As a version before checksums wrote it.
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
            "its checksum does not fit",
        ),
        (
            whole.replace("\"format\": 2", "\"format\": 1"),
            "its checksum does not fit",
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
            "both members flipped of 16 pairs",
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

/// Edits of a record, each with the problem that it makes.
type Edits<'a, R> = &'a [(&'a str, fn(&mut R))];

/// A record that somebody edited, who also corrected its checksum.
fn refused<R: Clone>(record: &R, put: fn(&Store, &R) -> store::Result<()>, edits: Edits<'_, R>) {
    let root = folder();
    let store = Store::open(root.path()).unwrap();
    put(&store, record).unwrap();
    for (problem, edit) in edits {
        let mut edited = record.clone();
        edit(&mut edited);
        let error = put(&store, &edited).unwrap_err();
        let source = error.source().unwrap().to_string();
        assert!(source.contains(problem), "{source}, not {problem}");
    }
}

#[test]
fn a_run_that_contradicts_itself_is_refused() {
    refused(
        &run(),
        Store::put_run,
        &[
            ("single is of nothing", |run| run.single = Rate::default()),
            ("pair is of nothing", |run| run.pair = Rate::default()),
            ("58 images and 28 pairs", |run| run.pair = Rate::new(15, 28)),
            ("both members flipped of 16 pairs, any of 15", |run| {
                run.both = 16;
            }),
            (
                "16 images flipped, in 15 pairs, of which 0 with both",
                |run| run.single = Rate::new(16, 58),
            ),
            ("15 images flipped, in 14 pairs", |run| {
                run.pair = Rate::new(14, 29);
            }),
            ("15 pairs flipped and no sample", |run| {
                run.single = Rate::new(0, 29);
            }),
            ("all samples flipped, and of 0 of 29 pairs both", |run| {
                run.single = Rate::new(29, 29);
                run.pair = Rate::new(29, 29);
            }),
            ("no weight changed and 15 labels did", |run| {
                run.change = Change {
                    weights: 9,
                    ..Change::default()
                }
            }),
            ("no weights", |run| run.change = Change::default()),
            ("11181643 weights of 11181642 changed", |run| {
                run.change.changed = 11_181_643;
            }),
            ("change.max_abs is -1", |run| run.change.max_abs = -1.0),
            ("the mean change 0.001 is above the largest", |run| {
                run.change.mean_abs = 1e-3;
            }),
            ("all_pairs is 1.5", |run| run.all_pairs = Some(1.5)),
            ("accuracy before and after are of other images", |run| {
                run.accuracy_after = Rate::new(1, 2);
            }),
            ("accuracy_before is of nothing", |run| {
                run.accuracy_before = Rate::default();
            }),
            ("success before and after are of other images", |run| {
                run.success_after = None;
            }),
            ("classes counts other images or pairs", |run| {
                run.classes = Some(Answers {
                    single: Rate::new(0, 4),
                    pair: Rate::new(0, 2),
                    ..Answers::default()
                });
            }),
            ("classes: single is of nothing", |run| {
                run.classes = Some(Answers::default());
            }),
            ("provenance.seconds is -1", |run| {
                run.provenance.seconds = -1.0;
            }),
        ],
    );
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    let put = |store: &Store, set: &SetRecord| store.put_set(set, bytes(b"samples"));
    refused(
        &set(),
        put,
        &[
            ("no samples", |set| set.made = 0),
            ("29 samples made and 2 never crossed, of 30", |set| {
                set.uncrossed = 2;
            }),
            ("301 iterations of at most 300", |set| {
                set.iterations_used = 301;
            }),
            ("29 margins of 30 samples", |set| set.margins.truncate(29)),
            ("a margin is -1", |set| set.margins[3] = -1.0),
            ("label_balance counts 57 images, there are 58", |set| {
                set.label_balance[0] = 29;
            }),
            ("label_balance has 3 labels", |set| {
                set.label_balance.push(0);
            }),
            ("label_balance counts 58 images, there are 29", |set| {
                set.layout = Layout::Singles;
            }),
            ("head_balance 0.7", |set| set.head_balance = Some(0.7)),
            ("single is of 57, there are 58", |set| {
                set.controls[0].single = Rate::new(0, 57);
            }),
            ("pair has 1 hits, and 2 are named", |set| {
                set.controls[0].pair = Rate::new(1, 29);
                set.controls[0].flipped_pairs = vec![1, 2];
            }),
            ("single names one that there is not", |set| {
                set.controls[0].single = Rate::new(1, 58);
                set.controls[0].flipped = vec![58];
            }),
            ("pixels.pairs does not fit the layout", |set| {
                set.pixels = Some(Pixels {
                    mean: 0.1,
                    deviation: 0.1,
                    pairs: None,
                });
            }),
            ("samples_sha256 is no SHA-256", |set| {
                set.samples_sha256 = Some("0F".to_owned());
            }),
        ],
    );
}

#[test]
fn targets_and_probes_that_contradict_themselves_are_refused() {
    let put = |store: &Store, target: &TargetRecord| store.put_target(target, bytes(b"weights"));
    refused(
        &target(),
        put,
        &[
            ("1 classes", |target| target.classes = 1),
            ("an input of shape [3, 0, 32]", |target| target.input[1] = 0),
            ("no parameters", |target| target.parameters = 0),
            ("accuracy is of nothing", |target| {
                target.accuracy = Rate::default();
            }),
            ("epochs is -1", |target| target.epochs = -1.0),
            ("weights_sha256 is no SHA-256", |target| {
                target.weights_sha256 = Some("no".to_owned());
            }),
        ],
    );
    refused(
        &probe(),
        Store::put_probe,
        &[
            ("the probe is `slice` and its result a timing", |probe| {
                probe.probe = "slice".to_owned();
            }),
            ("no times", |probe| probe.result = timing(vec![])),
            ("seconds is -1", |probe| probe.result = timing(vec![-1.0])),
            ("2 and 4 margins of 2 points a side", |probe| {
                probe.probe = "slice".to_owned();
                probe.result = Measured::Slice(Slice {
                    side: 2,
                    reach: 1.0,
                    gap: 0.1,
                    before: vec![0.0; 2],
                    after: vec![0.0; 4],
                });
            }),
            ("1 means and 2 deviations", |probe| {
                probe.probe = "dispersion".to_owned();
                probe.result = Measured::Dispersion(vec![Dispersion {
                    label_space: LabelSpace::Head,
                    outputs: 2,
                    iterations: 1,
                    means: vec![0.0],
                    deviations: vec![0.0; 2],
                }]);
            }),
            ("a margin is -1", |probe| {
                probe.probe = "convergence".to_owned();
                probe.result = Measured::Convergence(vec![Progress {
                    generator: "dbi".to_owned(),
                    iteration: 1,
                    margin: -1.0,
                    outputs: 1.0,
                    loss: -3.0,
                }]);
            }),
        ],
    );
}

fn timing(seconds: Vec<f64>) -> Measured {
    Measured::Timing(vec![Timing {
        generator: "aid".into(),
        variant: String::new(),
        samples: 1,
        iterations: 1,
        seconds,
    }])
}

#[test]
fn records_that_do_not_belong_together_are_told() {
    let set = SetRecord {
        label_balance: vec![30, 28],
        ..set()
    };
    run().fits(&set, &target()).unwrap();
    set.fits(&target()).unwrap();
    type Edit = fn(&mut RunRecord, &mut SetRecord, &mut TargetRecord);
    let edits: [(&str, Edit); 11] = [
        ("it is about set", |run, _, _| run.set = id("another")),
        ("it is about target", |run, _, _| run.target = id("another")),
        ("it is about target", |_, set, _| set.target = id("another")),
        ("of its set of `dbi`", |_, set, _| {
            set.generator = "dbi".to_owned();
        }),
        (
            "it counts 58 images and 29 pairs, the set has 60 and 30",
            |_, set, _| set.made = 30,
        ),
        ("accuracy_before is 1712/2000", |_, _, target| {
            target.accuracy = Rate::new(1_713, 2_000);
        }),
        (
            "it has no checksum, and the record of its set",
            |run, _, target| {
                (run.format, target.format) = (1, 1);
            },
        ),
        (
            "it has no checksum, and the record of its target",
            |run, _, _| run.format = 1,
        ),
        ("it rests on other weights or images", |run, _, _| {
            run.target_sha256 = None;
        }),
        ("it asked other samples", |run, _, _| {
            run.samples_sha256 = None;
        }),
        ("all labels are the same now", |run, _, _| {
            run.same_label = true;
        }),
    ];
    for (problem, edit) in edits {
        let (mut run, mut set, mut target) = (run(), set.clone(), target());
        edit(&mut run, &mut set, &mut target);
        let found = run.fits(&set, &target).unwrap_err();
        assert!(found.contains(problem), "{found}, not {problem}");
    }
    let of_ten = SetRecord {
        label_space: LabelSpace::Classes,
        ..set
    };
    let found = of_ten.fits(&target()).unwrap_err();
    assert_eq!(found, "label_balance has 2 labels, there are 10");
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

    // Killed while saving the next one: the last whole one counts.
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

    // Killed between the record and the end of its state.
    store.save_state(&step, ON, &[]).unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.load_state(&step, ON).unwrap(), None);
    store.clear_state(&step).unwrap();
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
    // Every bit of it counts.
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
    // It is the state of this step, which rests on this.
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
    assert!(
        source.contains("a version before checksums wrote it"),
        "{source}"
    );
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

/// Damaged records and states are refused, or are what was written.
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
        // Nothing but the whole file is read: its checksum covers every byte.
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
