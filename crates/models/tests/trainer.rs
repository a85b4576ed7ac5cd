//! Training that was stopped, saved and resumed ends with the same bits as uninterrupted training.

mod common;

use brink_config::checked::{Count, Minority, Positive};
use brink_data::{Augment, Split};
use brink_models::train::{Trainer, Training, Update};
use brink_models::{Job, Model, Network, Weights, job};
use brink_random::Stream;
use candle_core::{Device, Tensor};
use common::bits;

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

fn start(model: &str, training: &Training) -> Box<Trainer> {
    on_images(common::model(model), 8, training)
}

/// Random images of `side` pixels a side, with weights drawn for them.
fn on_images(model: Model, side: usize, training: &Training) -> Box<Trainer> {
    let stream = Stream::new(5);
    let mut random = stream.split("images");
    let pixels = (0..11 * 3 * side * side)
        .map(|_| random.next_u32() as u8)
        .collect();
    let labels = (0..11).map(|i| i % CLASSES as u16).collect();
    let weights = Weights::draw(model, CLASSES, &stream.split("weights")).unwrap();
    let split = Split::new([3, side, side], pixels, labels);
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
    resumes(|| trainer("resnet20"));
}

/// Of a network with dropout, whose masks go on where they were, and under Adam.
#[test]
fn so_does_one_with_dropout() {
    let model = common::model("vgg16").with_width(1.0 / 32.0);
    let training = Training {
        optimizer: Update::Adam,
        ..training()
    };
    resumes(|| on_images(model, 32, &training));
}

fn resumes(trainer: impl Fn() -> Box<Trainer>) {
    let undisturbed = all_bits(&job::run(trainer()).unwrap());
    for stop in 0..=EPOCHS * BATCHES {
        let mut first = trainer();
        for _ in 0..stop {
            first.advance().unwrap();
        }
        let state = first.save().unwrap();
        drop(first);
        let mut second = trainer();
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

/// Tracks of three frames, five of either class; frames are told apart by their pixel.
#[test]
fn what_is_held_out_is_not_trained_on_and_keeps_tracks_whole() {
    let numbers = 0..30;
    let all = Split::new(
        [1, 1, 1],
        numbers.clone().collect(),
        numbers.clone().map(|i| u16::from(i / 3 % 2)).collect(),
    )
    .with_groups(numbers.map(|i| u32::from(i / 3)).collect());
    let choose = |validation: Option<f64>, images: Option<usize>| {
        let training = Training {
            validation: validation.map(Minority::literal),
            images: images.map(Count::literal),
            ..training()
        };
        let (rest, held) = training.choose(&all, &Stream::new(3)).unwrap();
        let frames = |split: Option<Split>| split.map(|split| split.pixels().to_vec());
        let (rest, held) = (frames(rest), frames(held));
        let left = rest.as_ref().map_or(all.len(), Vec::len);
        assert_eq!(training.count(all.len()), left);
        (rest, held)
    };
    assert_eq!(choose(None, None), (None, None));
    assert_eq!(choose(None, Some(30)), (None, None));
    assert_eq!(choose(None, Some(8)).0.unwrap().len(), 8);

    let (rest, held) = choose(Some(0.2), None);
    let (rest, held) = (rest.unwrap(), held.unwrap());
    assert_eq!((rest.len(), held.len()), (24, 6));
    let track = |frame: &u8| frame / 3;
    assert!(
        held.iter()
            .all(|a| rest.iter().all(|b| track(a) != track(b)))
    );
    // Fewer images to train on are chosen of the rest, and what is held out stays.
    let (fewer, again) = choose(Some(0.2), Some(8));
    assert_eq!(again.unwrap(), held);
    assert_eq!(
        fewer
            .unwrap()
            .iter()
            .filter(|frame| rest.contains(frame))
            .count(),
        8
    );
    assert_eq!(choose(Some(0.2), Some(24)).0.unwrap(), rest);
}

/// Five tracks a class: a tenth of a class is half a track, the least that holds one out.
#[test]
fn a_class_without_an_image_on_either_side_is_an_error() {
    let labels = |tracks: usize| (0..6 * tracks).map(|i| u16::from(i / 3 % 2 == 1)).collect();
    let tracks = |tracks: usize| {
        Split::new([1, 1, 1], vec![0; 6 * tracks], labels(tracks))
            .with_groups((0..6 * tracks as u32).map(|i| i / 3).collect())
    };
    let refused = |all: &Split, validation: f64, images: Option<usize>| {
        let training = Training {
            validation: Some(Minority::literal(validation)),
            images: images.map(Count::literal),
            ..training()
        };
        let error = training.choose(all, &Stream::new(3)).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(&tracks(5), 0.1, None), "");
    assert!(refused(&tracks(5), 0.09, None).contains("no image to validate with"));
    assert!(refused(&tracks(1), 0.5, None).contains("no image to train on"));
    assert!(refused(&tracks(5), 0.1, Some(25)).contains("at most 24"));
}

/// A ResNet-18 leaves one value a channel of an image of eight pixels a side.
#[test]
fn batch_normalisation_of_a_single_value_is_refused() {
    let training = Training {
        batch: Count::literal(5),
        ..training()
    };
    let Err(error) = job::run(start("resnet18", &training)) else {
        panic!("the third batch has one image");
    };
    assert!(error.to_string().contains("1x1"), "{error}");
}

/// Not as if they were off, when only one of them is named.
#[test]
fn augmentation_that_is_not_named_is_the_default() {
    let read = |text: &str| serde_json::from_str::<Training>(text).unwrap();
    assert_eq!(read(r#"{"augment": {}}"#), Training::default());
    assert_eq!(read(r#"{"augment": {"crop": 4}}"#), Training::default());
}

#[test]
fn a_network_of_nan_has_no_accuracy() {
    let model = common::model("resnet20");
    let drawn = Weights::draw(model, CLASSES, &Stream::new(1)).unwrap();
    let accuracy = |bias: f32| {
        let last = |(name, tensor): (&String, &Tensor)| match name.as_str() {
            "linear.bias" => (
                name.clone(),
                Tensor::full(bias, CLASSES, &Device::Cpu).unwrap(),
            ),
            _ => (name.clone(), tensor.clone()),
        };
        let weights = Weights::from_tensors(drawn.tensors().iter().map(last));
        let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
        let split = Split::new([3, 8, 8], vec![7; 2 * 3 * 8 * 8], vec![0, 1]);
        brink_models::accuracy(&network, &split, &[0, 1])
    };
    assert_eq!(accuracy(0.5).unwrap().of, 2);
    let error = accuracy(f32::NAN).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
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
        error.contains("it has 6 steps of a training with 3"),
        "{error}"
    );
}
