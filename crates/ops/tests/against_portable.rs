//! Every operation against its composition of candle's own operations, forward and backward, in f64, under odd shapes; and
//! against finite differences, so that the two witnesses do not share a mistake.

use candle_core::{DType, Device, Result, Tensor, Var};
use ops::{Window, portable};
use proptest::prelude::*;

/// Values in [-1, 1) from a seed; nothing near a tie.
fn values(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn var(seed: u64, shape: &[usize]) -> Var {
    let t = Tensor::from_vec(values(seed, shape.iter().product()), shape, &Device::Cpu).unwrap();
    Var::from_tensor(&t).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap()
        .to_scalar::<f64>()
        .unwrap()
}

/// A loss that weighs every output differently.
fn loss(y: &Tensor) -> Result<Tensor> {
    let weights = Tensor::from_vec(values(99, y.elem_count()), y.shape(), &Device::Cpu)?;
    (y * weights)?.sum_all()
}

/// Outputs and all gradients of `ours` and `theirs` agree, and `ours` agrees with central differences.
fn check(
    inputs: &[Var],
    ours: impl Fn(&[&Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[&Tensor]) -> Result<Tensor>,
) {
    let tensors: Vec<&Tensor> = inputs.iter().map(Var::as_tensor).collect();
    let (y, z) = (ours(&tensors).unwrap(), theirs(&tensors).unwrap());
    assert!(
        distance(&y, &z) < 1e-12,
        "forward differs by {}",
        distance(&y, &z)
    );
    let (a, b) = (
        loss(&y).unwrap().backward().unwrap(),
        loss(&z).unwrap().backward().unwrap(),
    );
    for (i, input) in inputs.iter().enumerate() {
        let (a, b) = (a.get(input).unwrap(), b.get(input).unwrap());
        assert!(
            distance(a, b) < 1e-10,
            "gradient {i} differs by {}",
            distance(a, b)
        );
        let gradient = a.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let value = input
            .as_tensor()
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap();
        for at in [0, value.len() / 2, value.len() - 1] {
            let moved = |by: f64| {
                let mut v = value.clone();
                v[at] += by;
                let v = Tensor::from_vec(v, input.shape(), &Device::Cpu).unwrap();
                let mut t = tensors.clone();
                t[i] = &v;
                loss(&ours(&t).unwrap())
                    .unwrap()
                    .to_scalar::<f64>()
                    .unwrap()
            };
            let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (numeric - gradient[at]).abs() < 1e-6 * (1.0 + numeric.abs()),
                "input {i}[{at}]: {numeric} and {}",
                gradient[at]
            );
        }
    }
}

prop_compose! {
    fn geometry()(kernel in 1usize..6, stride in 1usize..4)(
        kernel in Just(kernel),
        stride in Just(stride),
        padding in 0..=kernel / 2,
        h in kernel..kernel + 9,
        w in kernel..kernel + 9,
        n in 1usize..4,
        c in 1usize..5,
        o in prop_oneof![1usize..5, 15usize..19, 31usize..35],
    ) -> (Window, [usize; 4], usize) {
        (Window::square(kernel, stride, padding), [n, h, w, c], o)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn conv2d((window, shape, o) in geometry(), seed in 0u64..1000) {
        let x = var(seed, &shape);
        let w = var(seed + 1, &[o, shape[3], window.kernel.0, window.kernel.1]);
        check(&[x, w], |t| ops::conv2d(t[0], t[1], window), |t| portable::conv2d(t[0], t[1], window));
    }

    #[test]
    fn max_pool2d((window, shape, _) in geometry(), seed in 0u64..1000) {
        let x = var(seed, &shape);
        check(&[x], |t| ops::max_pool2d(t[0], window), |t| portable::max_pool2d(t[0], window));
    }

    #[test]
    fn batch_norm((_, shape, _) in geometry(), seed in 0u64..1000, relu: bool) {
        let c = shape[3];
        let (x, gamma, beta) = (var(seed, &shape), var(seed + 1, &[c]), var(seed + 2, &[c]));
        let (mean, variance) = (var(seed + 3, &[c]), (var(seed + 4, &[c]).as_tensor() + 1.5).unwrap());
        check(
            &[x.clone(), gamma.clone(), beta.clone()],
            |t| ops::batch_norm_eval(t[0], t[1], t[2], &mean, &variance, 1e-5, relu),
            |t| portable::batch_norm(t[0], t[1], t[2], &mean, &variance, 1e-5, relu),
        );
        check(
            &[x, gamma, beta],
            |t| Ok(ops::batch_norm_train(t[0], t[1], t[2], 1e-5, relu)?.0),
            |t| Ok(portable::batch_norm_train(t[0], t[1], t[2], 1e-5, relu)?.0),
        );
    }

    #[test]
    fn linear_and_pooling((_, shape, o) in geometry(), seed in 0u64..1000) {
        let (x, w, b) = (var(seed, &shape), var(seed + 1, &[o, shape[3]]), var(seed + 2, &[o]));
        check(
            &[x, w, b],
            |t| ops::linear(&ops::global_avg_pool(t[0])?, t[1], t[2]),
            |t| t[0].mean((1, 2))?.matmul(&t[1].t()?)?.broadcast_add(t[2]),
        );
    }

    #[test]
    fn frozen_unit((window, shape, o) in geometry(), seed in 0u64..1000, relu: bool, with_residual: bool) {
        let x = var(seed, &shape);
        let weight = var(seed + 1, &[o, shape[3], window.kernel.0, window.kernel.1]);
        let (oh, ow) = window.output((shape[1], shape[2])).unwrap();
        let residual = var(seed + 2, &[shape[0], oh, ow, o]);
        let bn: Vec<Tensor> = (3..7).map(|i| (var(seed + i, &[o]).as_tensor() + 1.5).unwrap()).collect();
        let frozen = ops::Frozen::conv_bn(&weight, [&bn[0], &bn[1], &bn[2], &bn[3]], 1e-5, window).unwrap();
        let inputs = if with_residual { vec![x, residual] } else { vec![x] };
        check(
            &inputs,
            |t| frozen.forward(t[0], t.get(1).copied(), relu),
            |t| {
                let y = portable::conv2d(t[0], &weight.as_detached_tensor(), window)?;
                let y = portable::batch_norm(&y, &bn[0], &bn[1], &bn[2], &bn[3], 1e-5, false)?;
                let y = t.get(1).map_or(Ok(y.clone()), |r| y + *r)?;
                if relu { portable::relu(&y) } else { Ok(y) }
            },
        );
    }
}

#[test]
fn channels_last_and_activations() {
    let x = var(7, &[3, 2, 5, 4]);
    check(
        std::slice::from_ref(&x),
        |t| ops::channels_last(t[0]),
        |t| t[0].permute((0, 2, 3, 1))?.contiguous(),
    );
    check(
        std::slice::from_ref(&x),
        |t| ops::relu(t[0]),
        |t| portable::relu(t[0]),
    );
    check(
        &[x.clone(), var(8, &[3, 2, 5, 4])],
        |t| ops::add_relu(t[0], t[1]),
        |t| portable::relu(&(t[0] + t[1])?),
    );
    check(
        &[x],
        |t| ops::negative_part(t[0]),
        |t| portable::relu(&t[0].neg()?),
    );
}

#[test]
fn the_gradient_of_relu_at_zero_is_zero() {
    let x = Var::zeros((4,), DType::F32, &Device::Cpu).unwrap();
    for y in [ops::relu(&x).unwrap(), portable::relu(&x).unwrap()] {
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [0.0; 4]);
    }
}

#[test]
fn nan_is_seen_through_every_activation() {
    let x = Tensor::new(&[[[[f32::NAN], [1.0]], [[2.0], [3.0]]]], &Device::Cpu).unwrap();
    assert!(
        ops::relu(&x)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()[0]
            .is_nan()
    );
    assert!(
        ops::max_pool2d(&x, Window::square(2, 2, 0))
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()[0]
            .is_nan()
    );
}

#[test]
fn only_tracked_gradients_are_made() {
    let (x, w) = (var(1, &[1, 4, 4, 2]), var(2, &[3, 2, 3, 3]));
    let y = ops::conv2d(&x, &w.as_detached_tensor(), Window::square(3, 1, 1)).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some());
    assert!(grads.get(&w).is_none());
}

#[test]
fn wrong_shapes_are_errors() {
    let (x, w) = (var(1, &[1, 4, 4, 2]), var(2, &[3, 5, 3, 3]));
    let error = ops::conv2d(&x, &w, Window::square(3, 1, 1))
        .unwrap_err()
        .to_string();
    assert!(error.contains("do not fit"), "{error}");
    let error = ops::max_pool2d(&x, Window::square(5, 1, 0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("smaller than"), "{error}");
}
