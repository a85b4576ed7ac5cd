//! Quantisation: a comparison with PyTorch level by level, and the effect on a network.

mod common;

#[path = "../../ops/tests/support/mod.rs"]
mod support;

use brink_attacks::{Attack, Granularity, Quantize, Scheme, Victim, What};
use brink_config::checked::{Bits, Count};
use brink_models::{Activations, Network, Weights};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use common::{OWNER, bits, change, distinct, layers, logits, loose, modified, values, victim};
use support::fixture::Fixture;
use support::{Deviation, formula};

fn quantize(bits: u32, granularity: Granularity, scheme: Scheme) -> Quantize {
    Quantize {
        bits: Bits::literal(bits),
        granularity,
        scheme,
        ..Quantize::default()
    }
}

const GRANULARITIES: [Granularity; 2] = [Granularity::Tensor, Granularity::Channel];
const SCHEMES: [Scheme; 2] = [Scheme::Symmetric, Scheme::Affine];

fn fixture() -> Fixture {
    Fixture::read(env!("CARGO_MANIFEST_DIR"), "quantize")
}

/// Bit for bit, ties and channels included.
#[test]
fn weights_are_those_of_pytorchs_fake_quantisation() {
    let fixture = fixture();
    for case in fixture.cases() {
        let [bits_of, affine, by_channel] = fixture.sizes(&format!("{case}.case"))[..] else {
            panic!("a case has three numbers");
        };
        let golden = |what| -> Vec<f32> {
            let values = fixture.values(&format!("{case}.{what}"));
            values.into_iter().map(|value| value as f32).collect()
        };
        let (x, y) = (golden("x"), golden("y"));
        let shape: &[usize] = match x.len() {
            216 => &[6, 4, 3, 3],
            65 => &[5, 13],
            n => &[1, n],
        };
        let weights = loose(&[("w.weight", shape, &x)]);
        let attack = quantize(bits_of as u32, GRANULARITIES[by_channel], SCHEMES[affine]);
        let victim = Victim {
            weights: &weights,
            ..victim()
        };
        let ours = values(&modified(&attack, victim).weights, "w.weight");
        // -0 and 0 are one level.
        let unsigned = |values: &[f32]| values.iter().map(|value| value + 0.0).collect::<Vec<_>>();
        assert_eq!(
            bits(&unsigned(&ours)),
            bits(&unsigned(&y)),
            "case {case}: {attack:?}"
        );
    }
}

/// A layer's output includes what is fused to it. An output that lies between two levels but for a rounding of PyTorch's or ours may go
/// to either, so logits may be a level off. Measured: two of 40 with 8 bits, none with 4.
#[test]
fn activations_are_those_of_pytorchs_fake_quantisation() {
    let fixture = fixture();
    let drawn = Weights::draw(OWNER.model, 10, &Stream::new(0)).unwrap();
    let tensor =
        |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    let weights = Weights::from_tensors(drawn.tensors().iter().map(|(name, drawn)| {
        let shape = drawn.dims();
        (name.clone(), tensor(formula::parameter(name, shape), shape))
    }));
    let shape = [4, 3, 32, 32];
    let images = tensor(formula::images(&shape), &shape);
    let frozen = || Network::frozen(OWNER.model, 10, &weights, None).unwrap();

    let ranges = frozen().ranges(&images).unwrap();
    let ends: Vec<f64> = ranges
        .iter()
        .flat_map(|range| [range.low.into(), range.high.into()])
        .collect();
    let expected = fixture.values("activations.ranges");
    assert_eq!(ends.len(), 40);
    for (layer, (ours, theirs)) in ends.chunks(2).zip(expected.chunks(2)).enumerate() {
        Deviation::of(ours, theirs).assert_within(
            1e-5,
            &format!("the range of layer {layer}"),
            "what is fused to it?",
        );
    }

    for bits in [4, 8] {
        let activations = Activations::affine(Bits::literal(bits), &ranges);
        let level = f64::from(activations.levels()[19].scale());
        let logits = |network: Network| -> Vec<f64> {
            let logits = network
                .logits(&images)
                .unwrap()
                .to_dtype(DType::F64)
                .unwrap();
            logits.flatten_all().unwrap().to_vec1().unwrap()
        };
        let expected = fixture.values(&format!("activations.logits_{bits}"));
        let off = |logits: Vec<f64>| {
            let differences = logits
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs() / level);
            differences.collect::<Vec<f64>>()
        };
        let rounded = off(logits(frozen().with_activations(activations)));
        let plain = off(logits(frozen()));
        println!("{bits} bits, levels off: {rounded:.3?}, without rounding {plain:.3?}");
        assert!(rounded.iter().all(|&levels| levels < 1.01), "{rounded:?}");
        let exact = rounded.iter().filter(|&&levels| levels < 0.01).count();
        assert!(exact >= 36, "{bits} bits: {exact} of 40 logits are right");
        assert!(
            plain.iter().any(|&levels| levels > 0.1),
            "rounding does nothing"
        );
    }
}

#[test]
fn a_layer_or_a_channel_has_as_many_values_as_bits_allow() {
    for granularity in GRANULARITIES {
        for scheme in SCHEMES {
            for bits in [2, 4, 8] {
                let after = modified(&quantize(bits, granularity, scheme), victim()).weights;
                let most = (1 << bits) - usize::from(scheme == Scheme::Symmetric);
                for name in layers(&after).0 {
                    let values = values(&after, name);
                    let channels = after.tensors()[name].dims()[0];
                    let group = match granularity {
                        Granularity::Tensor => values.len(),
                        Granularity::Channel => values.len() / channels,
                    };
                    for group in values.chunks(group) {
                        let levels = distinct(group);
                        assert!(levels <= most, "{name}: {levels} values of {bits} bits");
                    }
                    if granularity == Granularity::Channel && bits == 2 {
                        assert!(
                            distinct(&values) > most,
                            "{name}: channels share their levels"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn biases_and_batch_normalisation_are_left_alone() {
    let after = modified(&quantize(2, Granularity::Tensor, Scheme::Affine), victim()).weights;
    for name in layers(&after).1 {
        let [before, after] = [&OWNER.weights, &after].map(|weights| values(weights, name));
        assert_eq!(bits(&before), bits(&after), "{name}");
    }
}

#[test]
fn more_bits_and_levels_of_a_channels_own_are_closer() {
    for scheme in SCHEMES {
        for granularity in GRANULARITIES {
            let moved = [4, 8, 16].map(|bits| change(&quantize(bits, granularity, scheme)));
            assert!(moved[2].mean_abs < moved[1].mean_abs / 200.0, "{moved:?}");
            assert!(moved[1].mean_abs < moved[0].mean_abs / 14.0, "{moved:?}");
        }
        let [tensor, channel] = GRANULARITIES.map(|g| change(&quantize(8, g, scheme)).mean_abs);
        assert!(channel < tensor, "{channel} is not closer than {tensor}");
    }
}

fn with_activations(bits: u32) -> Quantize {
    Quantize {
        what: What::WeightsAndActivations,
        ..quantize(bits, Granularity::Tensor, Scheme::Symmetric)
    }
}

#[test]
fn activations_change_the_logits_but_not_the_weights() {
    for bits in [4, 8] {
        let plain = modified(
            &quantize(bits, Granularity::Tensor, Scheme::Symmetric),
            victim(),
        );
        let whole = modified(&with_activations(bits), victim());
        let change = brink_attacks::measure_change(&plain.weights, &whole.weights).unwrap();
        assert_eq!(change.changed, 0);
        assert_eq!(plain.activations, None);
        assert_eq!(whole.activations.as_ref().unwrap().levels().len(), 20);
        let [plain, whole] =
            [plain, whole].map(|modified| logits(&modified.network(&victim()).unwrap()));
        assert_ne!(plain, whole);
        assert!(distinct(&whole.concat()) <= 1 << bits);
        assert_eq!(distinct(&plain.concat()), 40);
    }
}

/// Calibrated on the very images, lest what lies outside of the ranges hides the levels' distance.
#[test]
fn sixteen_bits_are_closer_to_the_owners_logits_than_eight() {
    let images = OWNER.data.test.take(4);
    let victim = Victim {
        train: &images,
        ..victim()
    };
    let before = logits(&victim.with(&OWNER.weights).unwrap()).concat();
    let [four, eight, sixteen] = [4, 8, 16].map(|bits| {
        let after = modified(&with_activations(bits), victim);
        let after = logits(&after.network(&victim).unwrap()).concat();
        let differences = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, f32::max)
    });
    assert!(sixteen < eight / 50.0, "{sixteen} and {eight}");
    assert!(eight < four / 4.0, "{eight} and {four}");
}

#[test]
fn calibration_images_come_from_the_stream() {
    let activations = |images, seed| {
        let attack = Quantize {
            calibration_images: Count::literal(images),
            ..with_activations(8)
        };
        let job = attack.start(victim(), &Stream::new(seed)).unwrap();
        brink_models::job::run(job).unwrap().activations.unwrap()
    };
    assert_eq!(activations(8, 1), activations(8, 1));
    assert_ne!(activations(8, 1), activations(8, 2));
    assert_ne!(activations(8, 1), activations(64, 1));

    let few = OWNER.data.train.take(5);
    let victim = Victim {
        train: &few,
        ..victim()
    };
    assert!(modified(&with_activations(8), victim).activations.is_some());
}

#[test]
fn bad_settings_are_refused() {
    for (settings, problem) in [
        ("{\"bits\": 1}", "1, expected a whole number from 2 to 16"),
        ("{\"bits\": 17}", "17, expected a whole number from 2 to 16"),
        (
            "{\"calibration_images\": 0}",
            "0, expected a whole number from 1 to 1000000000",
        ),
        ("{\"granularity\": \"row\"}", "unknown variant `row`"),
        ("{\"rounding\": \"up\"}", "unknown field `rounding`"),
    ] {
        let error = serde_json::from_str::<Quantize>(settings)
            .unwrap_err()
            .to_string();
        assert!(error.contains(problem), "{settings}: {error}");
    }
    let settings: Quantize =
        serde_json::from_str("{\"what\": \"weights_and_activations\"}").unwrap();
    assert_eq!(settings, with_activations(8));
}

#[test]
fn ranges_of_all_images_leave_nothing_to_chance() {
    let attack = Quantize {
        what: What::WeightsAndActivations,
        calibration_images: Count::literal(64),
        ..Quantize::default()
    };
    assert!(attack.is_random(65) && !attack.is_random(64));
    let weights = Quantize {
        what: What::Weights,
        ..attack
    };
    assert!(!weights.is_random(65));
}
