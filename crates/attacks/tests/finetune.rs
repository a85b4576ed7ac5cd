//! Fine-tuning: which weights an f32 update reaches, and what it does to sensitive samples.

use attacks::{Attack, BatchNorm, Change, Finetune, Optimizer, Victim};
use candle_core::{Device, Tensor};
use data::{Dataset, Id};
use models::train::{Trainer, Training};
use models::{Model, Network, Weights, job};
use spec::Stream;
use spec::checked::{Count, NonNegative};
use std::sync::LazyLock;

struct Owner {
    data: Dataset,
    model: Model,
    weights: Weights,
}

/// A ResNet-20 after one epoch on 640 images of embedded Fashion-MNIST.
static OWNER: LazyLock<Owner> = LazyLock::new(|| {
    let data = data::open(Id::FashionMnist, None).unwrap();
    let model: Model = "resnet20".parse().unwrap();
    let stream = Stream::new(1);
    let fresh = Weights::draw(model, 10, &stream.split("weights")).unwrap();
    let training = Training {
        epochs: Count::literal(1),
        images: Some(Count::literal(640)),
        ..Training::default()
    };
    let trainer = Trainer::new(model, 10, &fresh, None, &data.train, &training, &stream).unwrap();
    Owner {
        weights: job::run(Box::new(trainer)).unwrap(),
        data,
        model,
    }
});

fn victim() -> Victim<'static> {
    Victim {
        model: OWNER.model,
        classes: 10,
        weights: &OWNER.weights,
        normalize: None,
        train: &OWNER.data.train,
    }
}

fn finetune(lr: f64, optimizer: Optimizer, batch_norm: BatchNorm) -> Finetune {
    Finetune {
        lr: NonNegative::new(lr).unwrap(),
        optimizer,
        batch_norm,
        batch: Count::literal(32),
        steps: Some(Count::literal(2)),
        ..Finetune::default()
    }
}

fn attacked(attack: &Finetune) -> Weights {
    job::run(attack.start(victim(), &Stream::new(3)).unwrap()).unwrap()
}

fn change(attack: &Finetune) -> Change {
    Change::between(&OWNER.weights, &attacked(attack)).unwrap()
}

fn logits(weights: &Weights) -> Vec<Vec<f32>> {
    let network = Network::frozen(OWNER.model, 10, weights, None).unwrap();
    let images = OWNER.data.test.images(&[0, 1, 2, 3]);
    let images = Tensor::from_vec(images, (4, 3, 32, 32), &Device::Cpu).unwrap();
    network.logits(&images).unwrap().to_vec2().unwrap()
}

#[test]
fn sgd_at_1e_10_hardly_changes_a_weight_and_adam_at_1e_8_changes_most() {
    let sgd = change(&finetune(1e-10, Optimizer::Sgd, BatchNorm::Eval));
    assert!(
        sgd.share() < 0.01,
        "SGD at 1e-10 changed {:.2} %",
        100.0 * sgd.share()
    );
    let adam = change(&finetune(1e-8, Optimizer::Adam, BatchNorm::Eval));
    assert!(
        adam.share() > 0.8,
        "Adam at 1e-8 changed {:.2} %",
        100.0 * adam.share()
    );
    assert!(
        adam.max_abs < 1e-6,
        "two steps of 1e-8 moved a weight by {}",
        adam.max_abs
    );
}

#[test]
fn learning_rate_zero_changes_no_bit_in_evaluation_mode() {
    for optimizer in [Optimizer::Sgd, Optimizer::SgdMomentum, Optimizer::Adam] {
        let attack = finetune(0.0, optimizer, BatchNorm::Eval);
        assert_eq!(change(&attack).changed, 0, "{optimizer:?}");
        assert_eq!(
            logits(&OWNER.weights),
            logits(&attacked(&attack)),
            "{optimizer:?}"
        );
    }
}

#[test]
fn training_mode_changes_the_outputs_even_at_learning_rate_zero() {
    let attack = finetune(0.0, Optimizer::Adam, BatchNorm::Train);
    assert!(change(&attack).changed > 0);
    assert_ne!(logits(&OWNER.weights), logits(&attacked(&attack)));
    let restored = finetune(0.0, Optimizer::Adam, BatchNorm::TrainRestore);
    assert_eq!(change(&restored).changed, 0);
}

#[test]
fn resumes_to_the_same_bits() {
    let attack = Finetune {
        steps: Some(Count::literal(4)),
        ..finetune(1e-4, Optimizer::Adam, BatchNorm::Train)
    };
    let whole = attacked(&attack);
    let mut job = attack.start(victim(), &Stream::new(3)).unwrap();
    while !job.advance().unwrap().finished {
        let state = job.save().unwrap();
        job = attack.start(victim(), &Stream::new(3)).unwrap();
        job.restore(&state).unwrap();
    }
    assert_eq!(
        Change::between(&whole, &job.finish().unwrap())
            .unwrap()
            .changed,
        0
    );
}

#[test]
fn a_diverging_run_names_the_iteration() {
    let attack = Finetune {
        steps: Some(Count::literal(50)),
        ..finetune(1e30, Optimizer::Sgd, BatchNorm::Eval)
    };
    let Err(error) = job::run(attack.start(victim(), &Stream::new(3)).unwrap()) else {
        panic!("a learning rate of 1e30 must diverge");
    };
    assert!(error.to_string().contains("iteration"), "{error}");
}

#[test]
fn the_registry_names_every_field_with_its_default() {
    for entry in attacks::REGISTRY {
        let spec: attacks::Spec =
            serde_json::from_value(serde_json::json!({ entry.name: (entry.defaults)() })).unwrap();
        assert_eq!(spec.name(), entry.name);
    }
}
