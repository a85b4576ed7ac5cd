//! Fine-tuning: which weights an f32 update changes, the modes of batch normalisation, and the outputs that a forger holds.

mod common;

use std::sync::LazyLock;

use brink_attacks::{Attack, BatchNorm, Finetune, Hold, Optimizer, Victim, measure_change};
use brink_config::checked::{Count, NonNegative, UnitInterval};
use brink_models::{Weights, job, optim::Rule};
use brink_random::Stream;
use candle_core::{Device, Tensor};
use common::{OWNER, change, modified, share, victim};

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
    modified(attack, victim()).weights
}

fn logits(weights: &Weights) -> Vec<Vec<f32>> {
    common::logits(&victim().with(weights).unwrap())
}

#[test]
fn sgd_at_1e_10_hardly_changes_a_weight_and_adam_at_1e_8_changes_most() {
    let sgd = change(&finetune(1e-10, Optimizer::Sgd, BatchNorm::Eval));
    assert!(
        share(&sgd) < 0.01,
        "SGD at 1e-10 changed {:.2} %",
        100.0 * share(&sgd)
    );
    let adam = change(&finetune(1e-8, Optimizer::Adam, BatchNorm::Eval));
    assert!(
        share(&adam) > 0.8,
        "Adam at 1e-8 changed {:.2} %",
        100.0 * share(&adam)
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
fn update_rules_have_the_constants_of_their_names() {
    let sgd = |momentum, weight_decay| Rule::Sgd {
        momentum,
        nesterov: false,
        weight_decay,
    };
    let custom = Optimizer::Custom {
        momentum: UnitInterval::literal(0.5),
        weight_decay: NonNegative::literal(0.01),
    };
    for (optimizer, rule) in [
        (Optimizer::Sgd, sgd(0.0, 0.0)),
        (Optimizer::SgdMomentum, sgd(0.9, 5e-4)),
        (custom, sgd(0.5, 0.01)),
        (Optimizer::Adam, Rule::Adam { weight_decay: 0.0 }),
    ] {
        assert_eq!(Rule::from(optimizer), rule);
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
    let whole = modified(&attack, victim());
    assert_eq!((whole.steps, whole.reached), (4, None));
    let mut job = attack.start(victim(), &Stream::new(3)).unwrap();
    while !job.advance().unwrap().finished {
        let state = job.save().unwrap();
        job = attack.start(victim(), &Stream::new(3)).unwrap();
        job.restore(&state).unwrap();
    }
    let resumed = job.finish().unwrap();
    assert_eq!(resumed.steps, 4);
    assert_eq!(
        measure_change(&whole.weights, &resumed.weights)
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
fn an_entry_without_fields_has_the_defaults_of_the_registry() {
    for entry in brink_attacks::REGISTRY {
        let empty = serde_json::json!({ entry.name: {} });
        let spec: brink_attacks::Spec = serde_json::from_value(empty).unwrap();
        let defaults = serde_json::json!({ entry.name: (entry.defaults)() });
        assert_eq!(serde_json::to_value(spec).unwrap(), defaults);
    }
}

/// The pixels of the first eight test images.
static LEAKED: LazyLock<Vec<f32>> =
    LazyLock::new(|| OWNER.data.test.images(&(0..8).collect::<Vec<_>>()));

fn forger() -> Victim<'static> {
    Victim {
        leaked: &LEAKED,
        ..victim()
    }
}

fn holding(lr: f64, steps: usize) -> Finetune {
    Finetune {
        hold: Some(Hold {
            steps: Count::new(steps).unwrap(),
            ..Hold::default()
        }),
        ..finetune(lr, Optimizer::Adam, BatchNorm::Eval)
    }
}

/// The largest change of a logit of the leaked images.
fn distance(weights: &Weights) -> f32 {
    let images = Tensor::from_slice(&LEAKED, (8, 3, 32, 32), &Device::Cpu).unwrap();
    let logits = |weights| victim().with(weights).unwrap().logits(&images).unwrap();
    let moved = (logits(weights) - logits(&OWNER.weights)).unwrap();
    let moved = moved.abs().unwrap().flatten_all().unwrap();
    moved
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .fold(0.0, f32::max)
}

#[test]
fn leaked_images_get_their_old_outputs_again_and_others_do_not() {
    let without = modified(&holding(1e-4, 1), forger());
    let held = modified(&holding(1e-4, 60), forger());
    assert_eq!(without.steps, 3);
    assert!((4..=62).contains(&held.steps), "{}", held.steps);
    let [before, after] = [&without, &held].map(|made| distance(&made.weights));
    assert!(after < 0.05 * before, "{before} became {after}");
    // The fine-tuning is not undone.
    let sizes =
        [&without, &held].map(|made| measure_change(&OWNER.weights, &made.weights).unwrap());
    let ratio = sizes[1].mean_abs / sizes[0].mean_abs;
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
    let fresh = |weights: &Weights| {
        let images = OWNER.data.test.images(&[8, 9, 10, 11]);
        let images = Tensor::from_vec(images, (4, 3, 32, 32), &Device::Cpu).unwrap();
        let network = victim().with(weights).unwrap();
        network
            .logits(&images)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()
            .concat()
    };
    let moved = fresh(&held.weights).into_iter().zip(fresh(&OWNER.weights));
    let moved = moved
        .map(|(now, was)| (now - was).abs())
        .fold(0.0, f32::max);
    assert!(
        moved > 3.0 * after,
        "fresh images moved by {moved}, leaked ones by {after}"
    );
}

#[test]
fn a_forger_resumes_to_the_same_bits() {
    let attack = holding(1e-4, 4);
    let whole = modified(&attack, forger());
    let mut job = attack.start(forger(), &Stream::new(3)).unwrap();
    while !job.advance().unwrap().finished {
        let state = job.save().unwrap();
        job = attack.start(forger(), &Stream::new(3)).unwrap();
        job.restore(&state).unwrap();
    }
    let resumed = job.finish().unwrap();
    assert_eq!((whole.steps, resumed.steps), (6, 6));
    let change = measure_change(&whole.weights, &resumed.weights).unwrap();
    assert_eq!(change.changed, 0);
}

#[test]
fn a_forger_at_learning_rate_zero_changes_no_bit() {
    let after = modified(&holding(0.0, 3), forger()).weights;
    let change = measure_change(&OWNER.weights, &after).unwrap();
    assert_eq!(change.changed, 0);
}

#[test]
fn a_forger_without_samples_and_one_who_restores_statistics_are_refused() {
    let Err(error) = holding(1e-4, 3).start(victim(), &Stream::new(3)) else {
        panic!("nothing leaked");
    };
    assert!(error.to_string().contains("none leaked"), "{error}");
    let restores = Finetune {
        batch_norm: BatchNorm::TrainRestore,
        ..holding(1e-4, 3)
    };
    let error = restores.fits(100, [3, 32, 32], 10).unwrap_err();
    assert!(
        error.to_string().contains("write `eval` or `train`"),
        "{error}"
    );
    for share in ["0", "1", "-0.5", "1.5"] {
        let hold = format!("{{\"hold\": {{\"share\": {share}}}}}");
        assert!(serde_json::from_str::<Finetune>(&hold).is_err(), "{share}");
    }
}
