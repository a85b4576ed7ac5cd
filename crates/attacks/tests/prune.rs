//! Pruning: the number of weights that become 0, and their choice.

mod common;

use brink_attacks::{Attack, Criterion, Prune, Scope, Victim};
use brink_config::checked::UnitInterval;
use brink_models::Weights;
use common::{OWNER, bits, layers, loose, modified, values, victim};

fn prune(rate: f64, scope: Scope, criterion: Criterion) -> Prune {
    Prune {
        rate: UnitInterval::new(rate).unwrap(),
        scope,
        criterion,
    }
}

fn pruned(attack: &Prune) -> Weights {
    modified(attack, victim()).weights
}

/// What is left of `weights` in the tensor `name`, and what became 0 of it: magnitudes.
fn parted(after: &Weights, name: &str) -> [Vec<f32>; 2] {
    let (before, after) = (values(&OWNER.weights, name), values(after, name));
    let mut parts = [Vec::new(), Vec::new()];
    for (before, after) in before.into_iter().zip(after) {
        assert!(before != 0.0, "a trained weight is 0 by itself");
        let gone = after.to_bits() == 0;
        assert!(gone || after.to_bits() == before.to_bits());
        parts[usize::from(gone)].push(before.abs());
    }
    parts
}

/// Of all layers together.
fn parted_in_all(after: &Weights) -> [Vec<f32>; 2] {
    let parts = layers(after).0.into_iter().map(|name| parted(after, name));
    parts.fold([Vec::new(), Vec::new()], |all, part| {
        [
            [&all[0][..], &part[0]].concat(),
            [&all[1][..], &part[1]].concat(),
        ]
    })
}

fn assert_lowest([kept, gone]: &[Vec<f32>; 2]) {
    let largest = gone.iter().copied().fold(0.0, f32::max);
    let least = kept.iter().copied().fold(f32::INFINITY, f32::min);
    assert!(largest <= least, "{largest} is gone and {least} is left");
}

const RATES: [f64; 6] = [0.0, 0.0001, 0.001, 0.3, 0.9, 1.0];

#[test]
fn the_least_weights_of_the_network_become_zero() {
    // Counted: the convolutions of ResNet-20, and its linear layer.
    let n = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64) + 640;
    for rate in RATES {
        let parts = parted_in_all(&pruned(&prune(rate, Scope::Global, Criterion::Magnitude)));
        assert_eq!(parts[1].len(), (rate * f64::from(n)).round() as usize);
        assert_eq!(parts[0].len() + parts[1].len(), n as usize);
        assert_lowest(&parts);
    }
}

#[test]
fn the_least_weights_of_each_layer_become_zero() {
    for rate in RATES {
        let after = pruned(&prune(rate, Scope::Layer, Criterion::Magnitude));
        for name in layers(&after).0 {
            let parts = parted(&after, name);
            let n = (parts[0].len() + parts[1].len()) as f64;
            assert_eq!(parts[1].len(), (rate * n).round() as usize, "{name}");
            assert_lowest(&parts);
        }
    }
}

#[test]
fn biases_and_batch_normalisation_are_left_alone() {
    for scope in [Scope::Global, Scope::Layer] {
        let after = pruned(&prune(1.0, scope, Criterion::Magnitude));
        let (layers, rest) = layers(&after);
        assert_eq!((layers.len(), rest.len()), (20, 4 * 19 + 1));
        for name in rest {
            let [before, after] = [&OWNER.weights, &after].map(|weights| values(weights, name));
            assert_eq!(bits(&before), bits(&after), "{name}");
        }
    }
}

#[test]
fn of_equal_weights_the_first_goes() {
    let weights = loose(&[
        ("a.weight", &[1, 3], &[1.0, -1.0, 2.0]),
        ("b.weight", &[2, 2], &[-1.0, 0.5, 1.0, -1.0]),
        ("b.bias", &[2], &[0.1, 0.1]),
    ]);
    let after = |rate, scope| {
        let weights = Victim {
            weights: &weights,
            ..victim()
        };
        let after = modified(&prune(rate, scope, Criterion::Magnitude), weights).weights;
        ["a.weight", "b.weight", "b.bias"].map(|name| values(&after, name))
    };
    let bias = vec![0.1, 0.1];
    assert_eq!(
        after(4.0 / 7.0, Scope::Global),
        [vec![0.0, 0.0, 2.0], vec![0.0, 0.0, 1.0, -1.0], bias.clone()]
    );
    // One and a half of three, rounded to the even number; one of four.
    assert_eq!(
        after(0.5, Scope::Layer),
        [vec![0.0, 0.0, 2.0], vec![0.0, 0.0, 1.0, -1.0], bias.clone()]
    );
    assert_eq!(
        after(0.25, Scope::Layer),
        [vec![0.0, -1.0, 2.0], vec![-1.0, 0.0, 1.0, -1.0], bias]
    );
}

#[test]
fn half_a_weight_rounds_to_the_even_number() {
    let weights = loose(&[("a.weight", &[1, 5], &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    let victim = Victim {
        weights: &weights,
        ..victim()
    };
    let zeros = |rate| {
        let after = modified(&prune(rate, Scope::Global, Criterion::Magnitude), victim).weights;
        values(&after, "a.weight")
            .iter()
            .filter(|&&w| w == 0.0)
            .count()
    };
    // Of five: 0.5, 1.5, 2.5 and 4.5.
    assert_eq!([0.1, 0.3, 0.5, 0.9].map(zeros), [0, 2, 2, 4]);
}

#[test]
fn random_weights_come_from_the_stream() {
    for scope in [Scope::Global, Scope::Layer] {
        let [random, again] = [(); 2].map(|()| pruned(&prune(0.3, scope, Criterion::Random)));
        let magnitude = pruned(&prune(0.3, scope, Criterion::Magnitude));
        let mut differ = 0;
        for name in layers(&random).0 {
            assert_eq!(values(&random, name), values(&again, name), "{name}");
            let [ours, theirs] = [&random, &magnitude].map(|after| parted(after, name));
            if scope == Scope::Layer {
                assert_eq!(ours[1].len(), theirs[1].len(), "{name}");
            }
            differ += usize::from(ours != theirs);
        }
        assert_eq!(differ, 20, "chance picked the least weights");
        let [ours, theirs] = [&random, &magnitude].map(parted_in_all);
        assert_eq!(ours[1].len(), theirs[1].len());
        let mean = |weights: &[f32]| weights.iter().sum::<f32>() / weights.len() as f32;
        let ratio = mean(&ours[1]) / mean(&ours[0]);
        assert!(
            (0.9..1.1).contains(&ratio),
            "what is gone was {ratio} times what is left"
        );
    }
}

#[test]
fn rates_outside_of_zero_to_one_are_refused() {
    for settings in [
        "{\"rate\": 1.5}",
        "{\"rate\": -0.1}",
        "{\"scope\": \"channel\"}",
        "{\"share\": 0.1}",
    ] {
        assert!(
            serde_json::from_str::<Prune>(settings).is_err(),
            "{settings}"
        );
    }
    let settings: Prune = serde_json::from_str("{\"rate\": 0.1}").unwrap();
    assert_eq!(settings, prune(0.1, Scope::Global, Criterion::Magnitude));
}

/// Of none and of all weights there is nothing to choose.
#[test]
fn there_is_chance_where_some_weights_are_chosen_at_random() {
    let random = |rate| prune(rate, Scope::Global, Criterion::Random).is_random(100);
    assert_eq!([0.0, 0.5, 1.0].map(random), [false, true, false]);
    assert!(!prune(0.5, Scope::Layer, Criterion::Magnitude).is_random(100));
}
