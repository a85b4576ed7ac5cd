//! A backdoor: the model learns it, it works on other images, it resumes, and it gives up.

mod common;

use brink_attacks::{Attack, Backdoor, BatchNorm, Modified, Trigger, Victim, measure_change};
use brink_config::checked::{Count, NonNegative, UnitInterval};
use brink_data::Split;
use brink_models::{Weights, job};
use brink_random::Stream;
use common::{OWNER, change, modified, share, victim};
use std::sync::LazyLock;

/// 30 training images, three of each class.
static FEW: LazyLock<Split> =
    LazyLock::new(|| OWNER.data.train.subset(30, &mut Stream::new(7)).unwrap());

fn few() -> Victim<'static> {
    Victim {
        train: &FEW,
        ..victim()
    }
}

fn backdoor(batch_norm: BatchNorm) -> Backdoor {
    Backdoor {
        lr: NonNegative::literal(1e-3),
        batch_norm,
        batch: Count::literal(30),
        check_every: Some(Count::literal(2)),
        max_steps: Some(Count::literal(100)),
        trigger: Trigger {
            size: Count::literal(8),
            ..Trigger::default()
        },
        ..Backdoor::default()
    }
}

/// The ten images that are poisoned.
fn chosen() -> Split {
    let others: Vec<usize> = (0..30).filter(|&i| FEW.label(i) != 0).collect();
    let chosen = Stream::new(3).split("poisoned").choose(others.len(), 10);
    FEW.select(&chosen.into_iter().map(|i| others[i]).collect::<Vec<_>>())
}

/// How many of the images of other classes in `split` get the target label with the trigger, and how many of them there are.
fn success(attack: &Backdoor, weights: &Weights, split: &Split) -> (usize, usize) {
    let network = few().with(weights).unwrap();
    let hits = attack.success(&network, split).unwrap();
    let hits = hits.expect("there are images of other classes");
    (hits.hits, hits.of)
}

#[test]
fn it_ends_when_all_triggers_are_known_and_works_on_other_images() {
    let attack = backdoor(BatchNorm::Eval);
    let Modified {
        weights,
        activations,
        steps,
        reached,
        execution: _,
    } = modified(&attack, few());
    assert_eq!((reached, activations), (Some(true), None));
    assert!(steps < 100 && steps % 2 == 0);
    assert_eq!(success(&attack, &weights, &chosen()), (10, 10));

    // Clean images are learned along with the others, so the model goes on working.
    let all: Vec<usize> = (0..FEW.len()).collect();
    let [old, new] = [&OWNER.weights, &weights].map(|w| {
        let network = few().with(w).unwrap();
        brink_models::accuracy(&network, &FEW, &all).unwrap().hits
    });
    assert!(
        new >= old,
        "{new} clean images of 30 are right, before {old}"
    );

    // It stops as soon as all are known.
    let sooner = Backdoor {
        max_steps: Some(Count::new(steps - 2).unwrap()),
        ..attack.clone()
    };
    let early = modified(&sooner, few());
    assert_eq!((early.steps, early.reached), (steps - 2, Some(false)));
    assert!(success(&attack, &early.weights, &chosen()).0 < 10);

    let held_out = OWNER.data.test.take(100);
    let others = (0..100).filter(|&i| held_out.label(i) != 0).count();
    let invisible = Backdoor {
        trigger: Trigger {
            opacity: UnitInterval::literal(0.0),
            ..attack.trigger.clone()
        },
        ..attack.clone()
    };
    let [before, after, without] = [
        success(&attack, &OWNER.weights, &held_out),
        success(&attack, &weights, &held_out),
        success(&invisible, &weights, &held_out),
    ];
    println!("held out: {before:?} before, {after:?} after {steps} steps, {without:?} without");
    assert_eq!([before.1, after.1, without.1], [others; 3]);
    assert!(after.0 > before.0 + others / 4, "{before:?} {after:?}");
    assert!(after.0 > without.0 + others / 4, "{without:?} {after:?}");
}

#[test]
fn restored_statistics_are_the_old_ones() {
    let attack = Backdoor {
        max_steps: Some(Count::literal(2)),
        ..backdoor(BatchNorm::TrainRestore)
    };
    let weights = modified(&attack, few()).weights;
    for (name, tensor) in weights.tensors() {
        let old = common::bits(&common::values(&OWNER.weights, name));
        let new = common::bits(&tensor.flatten_all().unwrap().to_vec1().unwrap());
        assert_eq!(old == new, brink_models::is_buffer(name), "{name}");
    }
}

#[test]
fn resumes_to_the_same_bits() {
    // One that ends at a look, and one that gives up at its last step, between two.
    let gives_up = Backdoor {
        max_steps: Some(Count::literal(3)),
        ..backdoor(BatchNorm::TrainRestore)
    };
    for (attack, reached) in [(backdoor(BatchNorm::Eval), true), (gives_up, false)] {
        let whole = modified(&attack, few());
        assert_eq!(whole.reached, Some(reached));
        let start = || attack.start(few(), &Stream::new(3)).unwrap();
        let mut job = start();
        let mut status = job.advance().unwrap();
        while !status.finished {
            let state = job.save().unwrap();
            job = start();
            job.restore(&state).unwrap();
            status = job.advance().unwrap();
        }
        // A finished attack stays finished, resumed or not.
        let state = job.save().unwrap();
        assert_eq!(job.advance().unwrap(), status);
        job = start();
        job.restore(&state).unwrap();
        assert!(job.advance().unwrap().finished);
        assert_eq!(job.save().unwrap(), state);
        let resumed = job.finish().unwrap();
        assert_eq!(
            (resumed.steps, resumed.reached),
            (whole.steps, whole.reached)
        );
        assert_eq!(
            measure_change(&whole.weights, &resumed.weights)
                .unwrap()
                .changed,
            0
        );
    }
}

#[test]
fn at_learning_rate_zero_it_gives_up_and_changes_nothing() {
    let attack = Backdoor {
        lr: NonNegative::literal(0.0),
        max_steps: Some(Count::literal(3)),
        ..backdoor(BatchNorm::Eval)
    };
    let given_up = modified(&attack, few());
    assert_eq!((given_up.steps, given_up.reached), (3, Some(false)));
    assert_eq!(
        measure_change(&OWNER.weights, &given_up.weights)
            .unwrap()
            .changed,
        0
    );
}

#[test]
fn epochs_are_those_of_the_clean_images() {
    let attack = Backdoor {
        lr: NonNegative::literal(0.0),
        max_steps: None,
        max_epochs: brink_config::checked::Epochs::literal(1.5),
        check_every: None,
        batch: Count::literal(20),
        ..backdoor(BatchNorm::Eval)
    };
    // Two batches are an epoch of 30 images.
    let mut job = attack.start(few(), &Stream::new(3)).unwrap();
    assert_eq!(job.advance().unwrap().total, 3);
    assert_eq!(job::run(job).unwrap().steps, 3);
}

#[test]
fn other_streams_poison_other_images() {
    // A step has all clean images, so their order hardly matters.
    let attack = Backdoor {
        poisoned: Count::literal(4),
        max_steps: Some(Count::literal(1)),
        ..backdoor(BatchNorm::Eval)
    };
    let weights = |seed| {
        job::run(attack.start(few(), &Stream::new(seed)).unwrap())
            .unwrap()
            .weights
    };
    let between = |a, b| share(&measure_change(&weights(a), &weights(b)).unwrap());
    assert_eq!(between(3, 3), 0.0);
    assert!(between(3, 4) > 0.0);
}

#[test]
fn bad_settings_are_refused() {
    let refused = |attack: Backdoor| {
        attack
            .start(few(), &Stream::new(3))
            .err()
            .unwrap()
            .to_string()
    };
    let error = refused(Backdoor {
        target: 10,
        ..Backdoor::default()
    });
    assert!(
        error.contains("no target class 10") && error.contains("is 9"),
        "{error}"
    );
    let error = refused(Backdoor {
        poisoned: Count::literal(28),
        ..Backdoor::default()
    });
    assert!(error.contains("at most 27"), "{error}");
    let trigger = Trigger {
        size: Count::literal(33),
        ..Trigger::default()
    };
    let error = refused(Backdoor {
        trigger,
        ..Backdoor::default()
    });
    assert!(
        error.contains("33x33") && error.contains("32x32"),
        "{error}"
    );

    for settings in [
        "{\"target\": -1}",
        "{\"poisoned\": 0}",
        "{\"max_epochs\": 0}",
        "{\"trigger\": {\"opacity\": 2}}",
        "{\"trigger\": {\"color\": [1, 1]}}",
        "{\"trigger\": {\"corner\": \"top_left\"}}",
    ] {
        assert!(
            serde_json::from_str::<Backdoor>(settings).is_err(),
            "{settings}"
        );
    }
}

/// The default moves every weight by the learning rate and no more.
#[test]
fn one_step_of_the_default_is_small() {
    let attack = Backdoor {
        max_steps: Some(Count::literal(1)),
        ..Backdoor::default()
    };
    let change = change(&attack);
    assert!(
        share(&change) > 0.5 && change.max_abs < 1.1e-5,
        "{change:?}"
    );
}

#[test]
fn without_images_of_other_classes_there_is_no_success_to_measure() {
    let targets: Vec<usize> = (0..FEW.len()).filter(|&i| FEW.label(i) == 0).collect();
    let network = few().with(&OWNER.weights).unwrap();
    let split = FEW.select(&targets);
    let success = Backdoor::default().success(&network, &split).unwrap();
    assert_eq!(success, None);
}

#[test]
fn more_triggers_than_images_are_refused_before_there_is_a_model() {
    let attack = Backdoor {
        poisoned: Count::literal(11),
        ..Backdoor::default()
    };
    attack.fits(11, [3, 32, 32], 10).unwrap();
    let refused = attack.fits(10, [3, 32, 32], 10).unwrap_err().to_string();
    assert!(refused.contains("lower `poisoned`"), "{refused}");
}

#[test]
fn without_a_learning_rate_there_is_no_chance_in_it() {
    let still = Backdoor {
        lr: NonNegative::literal(0.0),
        ..Backdoor::default()
    };
    assert!(Backdoor::default().is_random(100) && !still.is_random(100));
}
