//! Moments of optimisers never become subnormal.

use brink_ops::{AdamStep, SgdStep};
use candle_core::{Tensor, Var};

fn var(values: &[f32]) -> Var {
    Var::new(values, &candle_core::Device::Cpu).unwrap()
}

fn no_subnormals(var: &Var) {
    for value in var.to_vec1::<f32>().unwrap() {
        assert!(!value.is_subnormal(), "{value:e}");
    }
}

/// Gradients of one large step, then of none and of faint ones.
fn gradient(step: u64) -> Tensor {
    let first = if step == 1 { 1.0 } else { 0.0 };
    Tensor::new(
        &[first, 1e-20_f32, first + 1e-22],
        &candle_core::Device::Cpu,
    )
    .unwrap()
}

#[test]
fn adam() {
    let [weight, mean, square] = [[0.5; 3], [0.0; 3], [0.0; 3]].map(|values| var(&values));
    for t in 1..=2_000 {
        let step = AdamStep {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            step: t,
        };
        brink_ops::adam(&weight, &mean, &square, &gradient(t), step).unwrap();
        no_subnormals(&mean);
        no_subnormals(&square);
    }
    assert_eq!(mean.to_vec1::<f32>().unwrap()[0], 0.0);
}

#[test]
fn sgd() {
    let [weight, velocity] = [[0.5; 3], [0.0; 3]].map(|values| var(&values));
    for t in 1..=2_000 {
        let step = SgdStep {
            lr: 1e-3,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            first: t == 1,
        };
        brink_ops::sgd(&weight, Some(&velocity), &gradient(t), step).unwrap();
        no_subnormals(&velocity);
    }
    assert_eq!(velocity.to_vec1::<f32>().unwrap()[0], 0.0);
}
