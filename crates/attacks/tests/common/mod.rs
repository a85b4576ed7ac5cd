//! A small trained model to modify.

// Each test uses its own part.
#![allow(dead_code)]

use brink_attacks::{Attack, Modified, Victim, measure_change};
use brink_config::Change;
use brink_config::checked::Count;
use brink_data::{Dataset, Id};
use brink_models::train::{Trainer, Training};
use brink_models::{Model, Network, Weights, job};
use brink_random::Stream;
use candle_core::{Device, Tensor};
use std::collections::HashSet;
use std::sync::LazyLock;

/// A model with its weights, and its data.
pub struct Owner {
    pub data: Dataset,
    pub model: Model,
    pub weights: Weights,
}

/// A ResNet-20 after two epochs on 640 images of embedded Fashion-MNIST.
pub static OWNER: LazyLock<Owner> = LazyLock::new(|| {
    let data = brink_data::open(Id::FashionMnist, None).unwrap();
    let model: Model = "resnet20".parse().unwrap();
    let stream = Stream::new(1);
    let fresh = Weights::draw(model, 10, &stream.split("weights")).unwrap();
    let training = Training {
        epochs: Count::literal(2),
        batch: Count::literal(32),
        ..Training::default()
    };
    let images = data.train.subset(640, &mut stream.split("subset")).unwrap();
    let trainer = Trainer::new(model, 10, &fresh, None, &images, &training, &stream).unwrap();
    Owner {
        weights: job::run(Box::new(trainer)).unwrap(),
        data,
        model,
    }
});

/// The owner's model in an attacker's hands.
pub fn victim() -> Victim<'static> {
    Victim {
        model: OWNER.model,
        classes: 10,
        weights: &OWNER.weights,
        normalize: None,
        train: &OWNER.data.train,
        leaked: &[],
    }
}

/// Weights of no model's, for attacks that only look at them.
pub fn loose(tensors: &[(&str, &[usize], &[f32])]) -> Weights {
    Weights::from_tensors(tensors.iter().map(|&(name, shape, values)| {
        let tensor = Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap();
        (name.to_owned(), tensor)
    }))
}

/// What an attack makes of a victim.
pub fn modified(attack: &dyn Attack, victim: Victim<'_>) -> Modified {
    job::run(attack.start(victim, &Stream::new(3)).unwrap()).unwrap()
}

/// How an attack changes the owner's weights.
pub fn change(attack: &dyn Attack) -> Change {
    measure_change(&OWNER.weights, &modified(attack, victim()).weights).unwrap()
}

/// The share of weights that changed.
pub fn share(change: &Change) -> f64 {
    change.changed as f64 / change.weights as f64
}

/// Logits of the first four test images.
pub fn logits(network: &Network) -> Vec<Vec<f32>> {
    let images = OWNER.data.test.images(&[0, 1, 2, 3]);
    let images = Tensor::from_vec(images, (4, 3, 32, 32), &Device::Cpu).unwrap();
    network.logits(&images).unwrap().to_vec2().unwrap()
}

/// The values of one tensor.
pub fn values(weights: &Weights, name: &str) -> Vec<f32> {
    let tensor = &weights.tensors()[name];
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The names of the weights of convolutions and linear layers; the other names.
pub fn layers(weights: &Weights) -> (Vec<&str>, Vec<&str>) {
    let is_layer = |name: &&str| {
        let module = name.strip_suffix(".weight");
        module.is_some_and(|module| module.contains("conv") || module == "linear")
    };
    weights.names().into_iter().partition(is_layer)
}

/// The bits of values.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// How many different values there are.
pub fn distinct(values: &[f32]) -> usize {
    bits(values).into_iter().collect::<HashSet<u32>>().len()
}
