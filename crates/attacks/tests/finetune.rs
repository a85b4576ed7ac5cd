//! Fine-tuning: which weights an f32 update changes, and the modes of batch normalisation.

mod common;

use brink_attacks::{Attack, BatchNorm, Finetune, Optimizer, measure_change};
use brink_config::checked::{Count, NonNegative, UnitInterval};
use brink_models::{Weights, job, optim::Rule};
use brink_random::Stream;
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
