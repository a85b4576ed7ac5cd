//! Training that was stopped, saved and taken up again ends with the same bits as training that was left alone.

mod common;

use common::bits;
use data::{Augment, Split};
use models::train::{Trainer, Training};
use models::{Job, Weights, job};
use spec::Stream;
use spec::checked::{Count, Positive};

const CLASSES: usize = 3;
const EPOCHS: usize = 2;
/// 11 images in batches of 4: the last batch of an epoch is smaller.
const BATCHES: usize = 3;

fn training() -> Training {
    Training {
        epochs: Count::literal(EPOCHS),
        batch: Count::literal(4),
        max_lr: Positive::literal(0.05),
        augment: Augment {
            flip: true,
            crop: 1,
        },
        ..Training::default()
    }
}

fn trainer(model: &str) -> Box<Trainer> {
    start(model, &training())
}

/// Random images with weights drawn for them.
fn start(model: &str, training: &Training) -> Box<Trainer> {
    let stream = Stream::new(5);
    let mut random = stream.split("images");
    let pixels = (0..11 * 3 * 8 * 8)
        .map(|_| random.next_u32() as u8)
        .collect();
    let labels = (0..11).map(|i| i % CLASSES as u16).collect();
    let model = common::model(model);
    let weights = Weights::draw(model, CLASSES, &stream.split("weights")).unwrap();
    let split = Split::new([3, 8, 8], pixels, labels);
    Box::new(
        Trainer::new(
            model,
            CLASSES,
            &weights,
            None,
            &split,
            training,
            &stream.split("training"),
        )
        .unwrap(),
    )
}

fn all_bits(weights: &Weights) -> Vec<(String, Vec<u64>)> {
    weights
        .tensors()
        .iter()
        .map(|(name, tensor)| (name.clone(), bits(tensor)))
        .collect()
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    let undisturbed = all_bits(&job::run(trainer("resnet20")).unwrap());
    for stop in 0..=EPOCHS * BATCHES {
        let mut first = trainer("resnet20");
        for _ in 0..stop {
            first.advance().unwrap();
        }
        let state = first.save().unwrap();
        drop(first);
        let mut second = trainer("resnet20");
        second.restore(&state).unwrap();
        let resumed = all_bits(&job::run(second).unwrap());
        for (ours, theirs) in resumed.iter().zip(&undisturbed) {
            assert_eq!(
                ours, theirs,
                "{} differs after a stop at step {stop}",
                ours.0
            );
        }
    }
}

/// A state can be taken up by a training that has gone elsewhere, too.
#[test]
fn a_state_replaces_whatever_was_done() {
    let mut early = trainer("resnet20");
    early.advance().unwrap();
    let state = early.save().unwrap();
    let mut late = trainer("resnet20");
    for _ in 0..EPOCHS * BATCHES {
        late.advance().unwrap();
    }
    late.restore(&state).unwrap();
    assert_eq!(
        all_bits(&job::run(late).unwrap()),
        all_bits(&job::run(early).unwrap())
    );
}

#[test]
fn a_finished_training_stays_finished() {
    let mut trainer = trainer("resnet20");
    let mut last = trainer.advance().unwrap();
    assert_eq!(
        (last.done, last.total, last.finished),
        (1, EPOCHS * BATCHES, false)
    );
    while !last.finished {
        last = trainer.advance().unwrap();
    }
    assert_eq!(last.done, EPOCHS * BATCHES);
    let state = trainer.save().unwrap();
    assert_eq!(
        trainer.advance().unwrap(),
        last,
        "one more step does nothing"
    );
    assert_eq!(
        trainer.save().unwrap(),
        state,
        "one more step changes nothing"
    );
}

/// Training changes every tensor, so equal bits above are no accident.
#[test]
fn training_moves_every_tensor() {
    let fresh = all_bits(&trainer("resnet20").finish().unwrap());
    let trained = all_bits(&job::run(trainer("resnet20")).unwrap());
    for (before, after) in fresh.iter().zip(&trained) {
        assert_ne!(before, after, "{} did not move", before.0);
    }
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let state = trainer("resnet20").save().unwrap();
    let refused = |model, state: &[u8]| trainer(model).restore(state).unwrap_err().to_string();
    for damaged in [&state[..state.len() / 2], b"no state at all", b""] {
        let error = refused("resnet20", damaged);
        assert!(
            error.contains("is damaged") && error.contains("delete it to start this step again"),
            "{error}"
        );
    }
    let error = refused("resnet18", &state);
    assert!(
        error.starts_with("the saved state does not fit: its `weight/")
            && error.contains("expected F32 ["),
        "{error}"
    );

    let mut finished = trainer("resnet20");
    while !finished.advance().unwrap().finished {}
    let mut short = training();
    short.epochs = Count::literal(1);
    let error = start("resnet20", &short)
        .restore(&finished.save().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it is 6 steps into a training of 3"),
        "{error}"
    );
}
