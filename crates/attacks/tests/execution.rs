//! The same weights executed otherwise: the same function, with noise of the size that the arithmetic has.

mod common;

use brink_attacks::{Arithmetic, Attack, Execution, Transport, measure_change};
use brink_models::{Network, round_mantissa};
use candle_core::{DType, Device, Tensor};
use common::{OWNER, modified, victim};
use half::bf16;

/// Logits of 32 test images in f64.
fn logits(network: &Network) -> Vec<f64> {
    let indices: Vec<usize> = (0..32).collect();
    let [c, h, w] = OWNER.data.test.shape();
    let images = OWNER.data.test.images(&indices);
    let images = Tensor::from_vec(images, (32, c, h, w), &Device::Cpu).unwrap();
    let logits = network
        .logits(&images.to_dtype(network.dtype()).unwrap())
        .unwrap();
    let logits = logits.to_dtype(DType::F64).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference of a logit from the f64 network's, relative to the largest logit.
fn error(arithmetic: Arithmetic) -> f64 {
    let exact = logits(&Arithmetic::Float64.network(&victim()).unwrap());
    let found = logits(&arithmetic.network(&victim()).unwrap());
    let largest = exact.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let pairs = exact.iter().zip(&found);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

#[test]
fn every_arithmetic_computes_the_same_function_with_its_own_noise() {
    assert_eq!(error(Arithmetic::Float64), 0.0);
    let f32 = error(Arithmetic::Float32);
    assert!((1e-9..1e-5).contains(&f32), "{f32}");
    let folded = error(Arithmetic::Folded);
    assert!((1e-9..1e-5).contains(&folded) && folded != f32, "{folded}");
    let tf32 = error(Arithmetic::Tf32);
    assert!((1e-5..1e-2).contains(&tf32), "{tf32}");
    let bfloat16 = error(Arithmetic::Bfloat16);
    assert!(
        (1e-4..1e-1).contains(&bfloat16) && bfloat16 > 2.0 * tf32,
        "{bfloat16}"
    );
}

#[test]
fn no_weight_changes() {
    let execution = Execution {
        arithmetic: Arithmetic::Bfloat16,
        transport: Transport::Uint8,
        program: None,
    };
    let modified = modified(&execution, victim());
    let change = measure_change(&OWNER.weights, &modified.weights).unwrap();
    assert_eq!(change.changed, 0);
    assert_eq!(modified.execution, Some(execution.clone()));
    assert!(!execution.is_random(100));
}

/// Against the library that knows bfloat16, and by the definition of the nearest number.
#[test]
fn a_mantissa_is_rounded_to_the_nearest_and_ties_to_even() {
    let mut stream = brink_random::Stream::new(5);
    let values: Vec<f32> = (0..1000).map(|_| stream.normal() * 3.0).collect();
    let mut rounded = values.clone();
    round_mantissa(&mut rounded, 7);
    let expected: Vec<f32> = values.iter().map(|x| bf16::from_f32(*x).to_f32()).collect();
    assert_eq!(rounded, expected);

    let mut same = values.clone();
    round_mantissa(&mut same, 23);
    assert_eq!(same, values);

    // 1 + 2^-11 lies halfway between 1 and 1 + 2^-10: 1 is even.
    let mut ties = [
        1.0 + 2f32.powi(-11),
        1.0 + 3.0 * 2f32.powi(-11),
        f32::INFINITY,
    ];
    round_mantissa(&mut ties, 10);
    assert_eq!(ties, [1.0, 1.0 + 2.0 * 2f32.powi(-10), f32::INFINITY]);
}
