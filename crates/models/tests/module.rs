//! A module of candle as a network.

mod common;

use brink_models::train::{Trainer, Training};
use brink_models::{BatchNormMode, Coverage, Network, Trainable, Weights, job};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use common::{bits, flat};

const CLASSES: usize = 10;

/// Candle's products may depend on the size of the batch. A network's logits may not.
#[test]
fn logits_do_not_depend_on_the_batch_or_its_order() {
    let model = common::model("vit-32");
    let weights = Weights::draw(model, CLASSES, &Stream::new(1)).unwrap();
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let images = common::images([9, 3, 32, 32], DType::F32);
    let all = bits(&network.logits(&images).unwrap());
    assert_eq!(bits(&network.record(&images, None).unwrap().logits()), all);
    let trainable = Trainable::new(model, CLASSES, &weights, None).unwrap();
    let recorded = trainable
        .record(&images, BatchNormMode::Train, None)
        .unwrap();
    assert_eq!(bits(&recorded.logits()), all);
    for at in 0..9 {
        let alone = network.logits(&images.narrow(0, at, 1).unwrap()).unwrap();
        assert_eq!(bits(&alone), all[at * CLASSES..][..CLASSES], "image {at}");
    }
}

/// The gradient that a generator follows, against differences in f64.
#[test]
fn the_gradient_of_the_images_is_a_slope() {
    let model = common::model("vit-32");
    let weights = Weights::draw(model, CLASSES, &Stream::new(1)).unwrap();
    let weights = weights.to(DType::F64, &Device::Cpu).unwrap();
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let images = common::images([2, 3, 32, 32], DType::F64);
    let loss = |images: &Tensor| {
        let logits = flat(&network.logits(images).unwrap());
        logits
            .iter()
            .enumerate()
            .map(|(at, logit)| logit * (at as f64 - 7.5))
            .sum::<f64>()
    };
    let seeds: Vec<f64> = (0..2 * CLASSES).map(|at| at as f64 - 7.5).collect();
    let seeds = Tensor::from_vec(seeds, (2, CLASSES), &Device::Cpu).unwrap();
    let recording = network.record(&images, None).unwrap();
    let gradient = flat(&recording.input_gradient(seeds, 0.0).unwrap());
    let pixels = flat(&images);
    for at in [0, 777, 3072, 5000, 6143] {
        let moved = |by: f64| {
            let mut pixels = pixels.clone();
            pixels[at] += by;
            loss(&Tensor::from_vec(pixels, images.shape(), &Device::Cpu).unwrap())
        };
        let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        assert!(
            (slope - gradient[at]).abs() < 1e-6 * slope.abs().max(1.0),
            "{at}: {slope} {}",
            gradient[at]
        );
    }
}

#[test]
fn what_cannot_be_seen_inside_is_refused() {
    let model = common::model("vit-32");
    let weights = Weights::draw(model, CLASSES, &Stream::new(1)).unwrap();
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let images = common::images([1, 3, 32, 32], DType::F32);
    let covered = network
        .record(&images, Some(Coverage::Detached))
        .map(|_| ());
    assert!(
        covered
            .unwrap_err()
            .to_string()
            .contains("cannot be summed or rounded")
    );
    assert!(network.ranges(&images).is_err());
    let large = common::images([1, 3, 40, 40], DType::F32);
    let message = network.logits(&large).unwrap_err().to_string();
    assert!(
        message.contains("images of 32x32 pixels, not 40x40"),
        "{message}"
    );
}

/// A tensor without a gradient would stay as it is.
#[test]
fn training_moves_every_parameter() {
    let data = brink_data::open(brink_data::Id::FashionMnist, None).unwrap();
    let train = data.train.subset(10, &mut Stream::new(1)).unwrap();
    let model = common::model("vit-32").with_width(0.25);
    let weights = Weights::draw(model, CLASSES, &Stream::new(1)).unwrap();
    let training: Training = serde_json::from_str(
        r#"{"epochs": 1, "batch": 5, "optimizer": "adam", "max_lr": 0.003, "weight_decay": 0}"#,
    )
    .unwrap();
    let stream = Stream::new(2);
    let trainer = Trainer::new(model, CLASSES, &weights, None, &train, &training, &stream);
    let trained = job::run(Box::new(trainer.unwrap())).unwrap();
    for (name, tensor) in weights.tensors() {
        assert_ne!(bits(tensor), bits(&trained.tensors()[name]), "{name}");
    }
}
