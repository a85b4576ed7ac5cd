//! Records that contradict themselves or each other are refused.

mod common;

use std::error::Error as _;

use brink_store::{
    Answers, Change, Dispersion, Measured, Progress, RunRecord, SetRecord, Slice, Store,
    TargetRecord, Timing,
};
use brink_verify::{LabelSpace, Layout, Pixels, Rate};
use common::{bytes, folder, id, probe, run, set, target};

/// Edits of a record, each with the expected problem.
type Edits<'a, R> = &'a [(&'a str, fn(&mut R))];

/// Checks that edited records are refused, even if their checksum is corrected.
fn refused<R: Clone>(
    record: &R,
    put: fn(&Store, &R) -> brink_store::Result<()>,
    edits: Edits<'_, R>,
) {
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
            ("single is out of 0", |run| run.single = Rate::default()),
            ("pair is out of 0", |run| run.pair = Rate::default()),
            ("58 images and 28 pairs", |run| run.pair = Rate::new(15, 28)),
            (
                "leaked: 8 images flipped, but 6 pairs have a flipped member and 1 have two",
                |run| {
                    run.leaked = Some(Answers {
                        single: Rate::new(8, 20),
                        pair: Rate::new(6, 10),
                        both: 1,
                        same_label: false,
                    });
                },
            ),
            (
                "both members flipped in 16 pairs, but at least one only in 15",
                |run| {
                    run.both = 16;
                },
            ),
            (
                "16 images flipped, but 15 pairs have a flipped member and 0 have two",
                |run| run.single = Rate::new(16, 58),
            ),
            ("15 images flipped, but 14 pairs", |run| {
                run.pair = Rate::new(14, 29);
            }),
            ("15 pairs flipped and no sample", |run| {
                run.single = Rate::new(0, 29);
            }),
            (
                "all samples flipped, but both members only in 0 of 29 pairs",
                |run| {
                    run.single = Rate::new(29, 29);
                    run.pair = Rate::new(29, 29);
                },
            ),
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
            ("accuracy before and after cover different images", |run| {
                run.accuracy_after = Rate::new(1, 2);
            }),
            ("accuracy_before is out of 0", |run| {
                run.accuracy_before = Rate::default();
            }),
            ("success before and after cover different images", |run| {
                run.success_after = None;
            }),
            ("classes counts other images or pairs", |run| {
                run.classes = Some(Answers {
                    single: Rate::new(0, 4),
                    pair: Rate::new(0, 2),
                    ..Answers::default()
                });
            }),
            ("classes: single is out of 0", |run| {
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
            ("single is out of 57, but there are 58", |set| {
                set.controls[0].single = Rate::new(0, 57);
            }),
            ("pair has 1 hits, and 2 are named", |set| {
                set.controls[0].pair = Rate::new(1, 29);
                set.controls[0].flipped_pairs = vec![1, 2];
            }),
            ("single names one that does not exist", |set| {
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
            ("samples_sha256 is not a SHA-256", |set| {
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
            ("accuracy is out of 0", |target| {
                target.accuracy = Rate::default();
            }),
            ("epochs is -1", |target| target.epochs = -1.0),
            ("weights_sha256 is not a SHA-256", |target| {
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
        ("of its set from `dbi`", |_, set, _| {
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
        ("it used other samples", |run, _, _| {
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
