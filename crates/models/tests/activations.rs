//! Rounded activations: the levels, the layers, and the resulting bits.

mod common;

use brink_config::checked::Bits;
use brink_data::Split;
use brink_models::{Activations, Levels, Model, Network, Range, calibrate};
use brink_random::Stream;
use candle_core::{DType, Tensor, Var};
use common::{CLASSES, bits, flat};
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #[test]
    fn values_go_to_the_nearest_level(
        values in prop::collection::vec(-5.0f32..5.0, 1..400),
        width in 2u32..=16,
        affine: bool,
    ) {
        let (width, range) = (Bits::literal(width), Range::of(&values));
        let levels = match affine {
            true => Levels::affine(width, range),
            false => Levels::symmetric(width, range),
        };
        let rounded = |values: &[f32]| {
            let mut values = values.to_vec();
            levels.round(&mut values);
            values
        };
        let once = rounded(&values);
        // An affine 0 is moved to a level, and with it the ends of the range, by half a level at most.
        let most = levels.scale() * if affine { 1.001 } else { 0.501 } + 1e-6;
        for (x, y) in values.iter().zip(&once) {
            prop_assert!((x - y).abs() <= most, "{x} went to {y}, levels are {} apart", levels.scale());
            let away = x.abs() > 0.501 * levels.scale() + 1e-6;
            prop_assert!(y * x >= 0.0 && (*y != 0.0 || !away), "{x} went to {y}");
        }
        prop_assert_eq!(&rounded(&once), &once, "levels are their own nearest");
        let distinct: HashSet<u32> = once.iter().map(|y| (y + 0.0).to_bits()).collect();
        prop_assert!(distinct.len() <= (1 << width.get()) - usize::from(!affine));
        prop_assert_eq!(rounded(&[0.0]), [0.0]);
    }
}

#[test]
fn a_range_without_width_has_the_level_zero() {
    for range in [Range::of(&[]), Range::of(&[0.0, 0.0])] {
        for levels in [Levels::symmetric, Levels::affine] {
            let mut values = [0.0];
            levels(Bits::literal(8), range).round(&mut values);
            assert_eq!(values, [0.0]);
        }
    }
}

fn network(model: Model, dtype: DType) -> Network {
    let weights = common::weights(model, CLASSES, dtype);
    Network::frozen(model, CLASSES, &weights, None).unwrap()
}

fn images(n: usize, dtype: DType) -> Tensor {
    common::images([n, 3, 32, 32], dtype)
}

/// Levels from the ranges over the images themselves.
fn rounding(model: Model, dtype: DType, width: u32) -> Network {
    let network = network(model, dtype);
    let ranges = network.ranges(&images(4, dtype)).unwrap();
    network.with_activations(Activations::affine(Bits::literal(width), &ranges))
}

#[test]
fn every_layer_has_its_range() {
    for model in common::models() {
        for dtype in [DType::F32, DType::F64] {
            let network = network(model, dtype);
            let images = images(4, dtype);
            let ranges = network.ranges(&images).unwrap();
            let expected = match model.name() {
                "resnet18" => 17 + 3 + 1,
                "resnet152" => 151 + 4 + 1,
                "vgg16" => 16,
                "resnet20" => 20,
                "resnet20-b" => 19 + 2 + 1,
                "resnet18-3x3" => 17 + 3 + 1,
                "vgg11_bn" => 11,
                "mobilenet_v2" => 52 + 1,
                name => panic!("how many layers has {name}?"),
            };
            assert_eq!(ranges.len(), expected, "{model}");
            assert!(
                ranges
                    .iter()
                    .all(|range| range.low < range.high || range.high == 0.0)
            );
            assert_eq!(
                ranges[0].low, 0.0,
                "{model}: the first layer ends with a ReLU"
            );
            let logits = flat(&network.logits(&images).unwrap());
            let logits: Vec<f32> = logits.into_iter().map(|logit| logit as f32).collect();
            assert_eq!(ranges[expected - 1], Range::of(&logits), "{model}");
        }
    }
}

#[test]
fn calibration_is_over_all_images() {
    let mut stream = Stream::new(2);
    let mut random = || stream.next_u32() as u8;
    let pixels = (0..130 * 192).map(|i| match i / 192 {
        129 => 255,
        _ => random(),
    });
    let split = Split::new([3, 8, 8], pixels.collect(), vec![0; 130]);
    let network = network(common::model("resnet20"), DType::F32);
    let ranges = |indices: &[usize]| {
        let shape = [indices.len(), 3, 8, 8];
        let images = common::to_tensor(split.images(indices), &shape, DType::F32);
        network.ranges(&images).unwrap()
    };
    // More than one batch.
    let all: Vec<usize> = (0..130).collect();
    let calibrated = calibrate(&network, &split, &all).unwrap();
    assert_eq!(calibrated, ranges(&all));
    assert_ne!(calibrated, ranges(&all[..125]));
    assert_ne!(calibrated, ranges(&all[125..]));
    assert_eq!(
        calibrate(&network, &split, &[3, 7]).unwrap(),
        ranges(&[3, 7])
    );
}

#[test]
fn logits_are_on_their_levels() {
    for model in common::models() {
        for dtype in [DType::F32, DType::F64] {
            let images = images(4, dtype);
            let plain = bits(&network(model, dtype).logits(&images).unwrap());
            let rounded = bits(&rounding(model, dtype, 3).logits(&images).unwrap());
            let distinct = |bits: &[u64]| bits.iter().collect::<HashSet<_>>().len();
            assert_eq!(distinct(&plain), 4 * CLASSES, "{model}");
            assert!(
                distinct(&rounded) <= 8,
                "{model}: {} of 3 bits",
                distinct(&rounded)
            );
        }
    }
}

#[test]
fn more_bits_are_closer() {
    for model in common::models() {
        let images = images(4, DType::F32);
        let plain = flat(&network(model, DType::F32).logits(&images).unwrap());
        let off = [4, 8, 16].map(|width| {
            let rounded = flat(&rounding(model, DType::F32, width).logits(&images).unwrap());
            let differences = rounded.iter().zip(&plain).map(|(a, b)| (a - b).abs());
            differences.fold(0.0, f64::max)
        });
        println!("{model}: {off:?}");
        assert!(
            off[2] > 0.0 && off[2] < off[1] / 10.0 && off[1] < off[0],
            "{model}: {off:?}"
        );
    }
}

/// As without rounding: an image's logits do not depend on the others, nor on whether a gradient will be asked for.
#[test]
fn every_way_to_ask_gives_the_same_bits() {
    for model in common::models() {
        let network = rounding(model, DType::F32, 8);
        let images = images(4, DType::F32);
        let together = bits(&network.logits(&images).unwrap());
        let alone =
            (0..4).flat_map(|i| bits(&network.logits(&images.narrow(0, i, 1).unwrap()).unwrap()));
        assert_eq!(alone.collect::<Vec<_>>(), together, "{model}");
        let recording = network.record(&images, None).unwrap();
        assert_eq!(bits(&recording.logits()), together, "{model}");
    }
}

/// Each logit stays the same if the images move a little, so 0 is the right gradient.
#[test]
fn a_rounding_has_no_gradient() {
    let network = rounding(common::model("resnet20"), DType::F32, 8);
    let images = Var::from_tensor(&images(2, DType::F32)).unwrap();
    let recording = network.record(&images, None).unwrap();
    let ones = recording.logits().ones_like().unwrap();
    let gradient = recording.input_gradient(ones, 0.0).unwrap();
    assert_eq!(gradient.dims(), images.dims());
    assert!(flat(&gradient).iter().all(|&g| g == 0.0));
    let grads = network
        .logits(&images)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert!(flat(grads.get(&images).unwrap()).iter().all(|&g| g == 0.0));
}

#[test]
#[should_panic(expected = "activations do not match layers")]
fn levels_are_those_of_as_many_layers() {
    let ranges = [Range {
        low: 0.0,
        high: 1.0,
    }];
    let activations = Activations::affine(Bits::literal(8), &ranges);
    let _ = network(common::model("resnet20"), DType::F32).with_activations(activations);
}
