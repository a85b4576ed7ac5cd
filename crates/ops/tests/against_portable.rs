//! Every operation against its composition of candle's own operations, forward and backward, in f64, with odd shapes. Both are also compared
//! with finite differences, so that they cannot share a mistake.

mod common;

use brink_ops::{BatchNorm, Reduction, Tape, Window, portable};
use candle_core::{DType, Device, Result, Tensor, Var};
use common::{gradients, values};
use proptest::prelude::*;

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
    ours: impl Fn(&mut Tape, &[&Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[&Tensor]) -> Result<Tensor>,
) {
    let gradients = agree(inputs, &ours, theirs);
    let tensors: Vec<&Tensor> = inputs.iter().map(Var::as_tensor).collect();
    for (i, (input, gradient)) in inputs.iter().zip(&gradients).enumerate() {
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
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
                loss(&ours(&mut Tape::off(), &t).unwrap())
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

/// Outputs and all gradients of `ours` and `theirs` agree; returns the gradients.
fn agree(
    inputs: &[Var],
    ours: &impl Fn(&mut Tape, &[&Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[&Tensor]) -> Result<Tensor>,
) -> Vec<Tensor> {
    let tensors: Vec<&Tensor> = inputs.iter().map(Var::as_tensor).collect();
    let mut tape = Tape::recording();
    let (y, z) = (
        ours(&mut tape, &tensors).unwrap(),
        theirs(&tensors).unwrap(),
    );
    let off = distance(&y, &z);
    let size = distance(&z, &z.zeros_like().unwrap());
    assert!(off < 1e-12 * (1.0 + size), "forward differs by {off}");
    let a = gradients(&tape, &y, loss).unwrap();
    let b = gradients(&tape, &z, loss).unwrap();
    let each = inputs.iter().enumerate().map(|(i, input)| {
        let (a, b) = (a.get(input).unwrap(), b.get(input).unwrap());
        assert!(
            distance(a, b) < 1e-10,
            "gradient {i} differs by {}",
            distance(a, b)
        );
        a.clone()
    });
    each.collect()
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

/// Outermost results then see padding alone.
#[test]
fn padding_may_exceed_the_kernel() {
    for (kernel, stride, padding) in [(1, 1, 2), (2, 2, 3), (3, 1, 4)] {
        for channels in [1, 3, 5] {
            let window = Window::square(kernel, stride, padding);
            let (x, w) = (
                var(1, &[2, 4, 6, channels]),
                var(2, &[17, channels, kernel, kernel]),
            );
            check(
                &[x, w],
                |tape, t| brink_ops::conv2d(tape, t[0], t[1], None, false, window),
                |t| portable::conv2d(t[0], t[1], window),
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn conv2d((window, shape, o) in geometry(), seed in 0u64..1000) {
        let x = var(seed, &shape);
        let w = var(seed + 1, &[o, shape[3], window.kernel.0, window.kernel.1]);
        check(&[x, w], |tape, t| brink_ops::conv2d(tape, t[0], t[1], None, false, window), |t| portable::conv2d(t[0], t[1], window));
    }

    #[test]
    fn conv2d_with_bias((window, shape, o) in geometry(), seed in 0u64..1000, relu: bool) {
        let inputs = [var(seed, &shape), var(seed + 1, &[o, shape[3], window.kernel.0, window.kernel.1]), var(seed + 2, &[o])];
        let composed = |t: &[&Tensor]| portable::affine(&portable::conv2d(t[0], t[1], window)?, None, Some(t[2]), None, relu);
        check(&inputs, |tape, t| brink_ops::conv2d(tape, t[0], t[1], Some(t[2]), relu, window), composed);
        let (x, constant) = (&inputs[..1], [1, 2].map(|i| inputs[i].as_detached_tensor()));
        let frozen = brink_ops::Frozen::conv(&constant[0], &constant[1], window).unwrap();
        check(x, |tape, t| frozen.forward(tape, t[0], None, relu), |t| composed(&[t[0], &constant[0], &constant[1]]));
    }

    #[test]
    fn depthwise_conv2d((window, shape, _) in geometry(), seed in 0u64..1000) {
        let x = var(seed, &shape);
        let w = var(seed + 1, &[shape[3], 1, window.kernel.0, window.kernel.1]);
        check(&[x, w], |tape, t| brink_ops::depthwise_conv2d(tape, t[0], t[1], window), |t| portable::conv2d(t[0], t[1], window));
    }

    /// Values on both sides of both kinks.
    #[test]
    fn relu6((_, shape, _) in geometry(), seed in 0u64..1000) {
        let x = Var::from_tensor(&((var(seed, &shape).as_detached_tensor() * 12.0).unwrap() + 0.1).unwrap()).unwrap();
        agree(&[x], &|tape: &mut Tape, t: &[&Tensor]| brink_ops::relu6(tape, t[0]), |t| portable::relu6(t[0]));
    }

    #[test]
    fn max_pool2d((window, shape, _) in geometry(), seed in 0u64..1000) {
        let x = var(seed, &shape);
        check(&[x], |tape, t| brink_ops::max_pool2d(tape, t[0], window), |t| portable::max_pool2d(t[0], window));
    }

    #[test]
    fn batch_norm((_, shape, _) in geometry(), seed in 0u64..1000, relu: bool, with_residual: bool, biased: bool) {
        fn layer<'a>(t: &[&'a Tensor], relu: bool) -> BatchNorm<'a> {
            BatchNorm { gamma: t[1], beta: t[2], eps: 1e-5, residual: t.get(3).copied(), relu }
        }
        let c = shape[3];
        let mut inputs = vec![var(seed, &shape), var(seed + 1, &[c]), var(seed + 2, &[c])];
        if with_residual {
            inputs.push(var(seed + 5, &shape));
        }
        let (mean, variance) = (var(seed + 3, &[c]), (var(seed + 4, &[c]).as_tensor() + 1.5).unwrap());
        check(
            &inputs,
            |tape, t| layer(t, relu).eval(tape, t[0], &mean, &variance),
            |t| portable::batch_norm(&layer(t, relu), t[0], &mean.as_detached_tensor(), &variance),
        );
        check(
            &inputs,
            |tape, t| Ok(layer(t, relu).train(tape, t[0])?.0),
            |t| Ok(portable::batch_norm_train(&layer(t, relu), t[0])?.0),
        );
    }

    #[test]
    fn adaptive_avg_pool2d((_, shape, _) in geometry(), size in (1usize..9, 1usize..9), seed in 0u64..1000) {
        let x = var(seed, &shape);
        check(&[x], |tape, t| brink_ops::adaptive_avg_pool2d(tape, t[0], size), |t| portable::adaptive_avg_pool2d(t[0], size));
    }

    #[test]
    fn linear((_, shape, o) in geometry(), seed in 0u64..1000, relu: bool, matrix: bool) {
        let (n, i) = (shape[0], shape[1..].iter().product());
        let x = if matrix { var(seed, &[n, i]) } else { var(seed, &shape) };
        let inputs = [x, var(seed + 1, &[o, i]), var(seed + 2, &[o])];
        check(&inputs, |tape, t| brink_ops::linear(tape, t[0], t[1], t[2], relu), |t| portable::linear(t[0], t[1], t[2], relu));
        let (x, constant) = (&inputs[..1], [1, 2].map(|i| inputs[i].as_detached_tensor()));
        let map = if matrix { (1, 1) } else { (shape[1], shape[2]) };
        let frozen = brink_ops::Frozen::linear(&constant[0], &constant[1], map).unwrap();
        check(x, |tape, t| frozen.forward(tape, t[0], None, relu), |t| portable::linear(t[0], &constant[0], &constant[1], relu));
    }

    /// With fewer pixels than bins, with as many, with more.
    #[test]
    fn pooled_linear((_, shape, o) in geometry(), bins in (1usize..6, 1usize..6), seed in 0u64..1000, relu: bool) {
        let i = shape[3] * bins.0 * bins.1;
        let inputs = [var(seed, &shape), var(seed + 1, &[o, i]), var(seed + 2, &[o])];
        let composed = |t: &[&Tensor]| portable::linear(&portable::adaptive_avg_pool2d(t[0], bins)?, t[1], t[2], relu);
        check(&inputs, |tape, t| brink_ops::pooled_linear(tape, t[0], t[1], t[2], bins, relu), composed);
        let (x, constant) = (&inputs[..1], [1, 2].map(|i| inputs[i].as_detached_tensor()));
        let frozen = brink_ops::FrozenPooledLinear::new(&constant[0], &constant[1], bins).unwrap();
        check(x, |tape, t| frozen.forward(tape, t[0], relu), |t| composed(&[t[0], &constant[0], &constant[1]]));
    }

    #[test]
    fn frozen_unit((window, shape, o) in geometry(), seed in 0u64..1000, relu: bool, with_residual: bool, biased: bool) {
        let x = var(seed, &shape);
        let weight = var(seed + 1, &[o, shape[3], window.kernel.0, window.kernel.1]);
        let (oh, ow) = window.output((shape[1], shape[2])).unwrap();
        let residual = var(seed + 2, &[shape[0], oh, ow, o]);
        let bn: Vec<Tensor> = (3..7).map(|i| (var(seed + i, &[o]).as_tensor() + 1.5).unwrap()).collect();
        let bias = biased.then_some(&bn[1]);
        let frozen = brink_ops::Frozen::conv_bn(&weight, bias, [&bn[0], &bn[1], &bn[2], &bn[3]], 1e-5, window).unwrap();
        let inputs = if with_residual { vec![x, residual] } else { vec![x] };
        check(
            &inputs,
            |tape, t| frozen.forward(tape, t[0], t.get(1).copied(), relu),
            |t| {
                let y = portable::conv2d(t[0], &weight.as_detached_tensor(), window)?;
                let y = bias.map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))?;
                let layer = BatchNorm { gamma: &bn[0], beta: &bn[1], eps: 1e-5, residual: t.get(1).copied(), relu };
                portable::batch_norm(&layer, &y, &bn[2], &bn[3])
            },
        );
    }

    /// The portable units, which only other devices run outside of this test.
    #[test]
    fn portable_units((window, shape, o) in geometry(), seed in 0u64..1000, relu: bool, mean: bool) {
        let constant = |i: u64, shape: &[usize]| var(seed + i, shape).as_detached_tensor();
        let close = |ours: (Tensor, Tensor), theirs: (Tensor, Tensor)| {
            for (a, b) in [(ours.0, theirs.0), (ours.1, theirs.1)] {
                let size = distance(&b, &b.zeros_like().unwrap());
                assert!(distance(&a, &b) < 1e-12 * (1.0 + size), "differs by {}", distance(&a, &b));
            }
        };
        let (tape, reduction) = (&mut Tape::off(), if mean { Reduction::Mean } else { Reduction::Sum });
        let (x, i) = (constant(0, &shape), shape[1..].iter().product());
        let weight = constant(1, &[o, shape[3], window.kernel.0, window.kernel.1]);
        let bn: Vec<Tensor> = (2..6).map(|i| (constant(i, &[o]) + 1.5).unwrap()).collect();
        let (vectors, flat) = ([&bn[0], &bn[1], &bn[2], &bn[3]], constant(6, &[o, i]));
        let units = [
            (brink_ops::Frozen::conv_bn(&weight, None, vectors, 1e-5, window), portable::Frozen::conv_bn(&weight, None, vectors, 1e-5, window)),
            (
                brink_ops::Frozen::conv_bn(&weight, Some(&bn[3]), vectors, 1e-5, window),
                portable::Frozen::conv_bn(&weight, Some(&bn[3]), vectors, 1e-5, window),
            ),
            (brink_ops::Frozen::conv(&weight, &bn[0], window), portable::Frozen::conv(&weight, &bn[0], window)),
            (brink_ops::Frozen::linear(&flat, &bn[0], (shape[1], shape[2])), portable::Frozen::linear(&flat, &bn[0])),
        ];
        for (ours, theirs) in units {
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            let covered = theirs.forward_covered(&x, None, relu, reduction).unwrap();
            close(ours.forward_covered(tape, &x, None, relu, reduction).unwrap(), covered.clone());
            close((theirs.forward(&x, None, relu).unwrap(), covered.1.clone()), covered);
        }
        let weight = constant(7, &[o, shape[3] * 6]);
        let ours = brink_ops::FrozenPooledLinear::new(&weight, &bn[0], (2, 3)).unwrap();
        let theirs = portable::FrozenPooledLinear::new(&weight, &bn[0], (2, 3)).unwrap();
        let covered = theirs.forward_covered(&x, relu, reduction).unwrap();
        close(ours.forward_covered(tape, &x, relu, reduction).unwrap(), covered.clone());
        close((theirs.forward(&x, relu).unwrap(), covered.1.clone()), covered);
    }

    /// Behind another unit, so that the gradient meets a mask and, if the map keeps its size, a residual.
    #[test]
    fn frozen_unit_with_its_activation_term((window, shape, o) in geometry(), seed in 0u64..1000, relu: bool, mean: bool, biased: bool) {
        let constant = |i: u64, shape: &[usize]| var(seed + i, shape).as_detached_tensor();
        let first = brink_ops::Frozen::conv(&constant(1, &[o, shape[3], 1, 1]), &constant(2, &[o]), Window::square(1, 1, 0)).unwrap();
        let weight = constant(3, &[o, o, window.kernel.0, window.kernel.1]);
        let bn: Vec<Tensor> = (4..8).map(|i| (constant(i, &[o]) + 1.5).unwrap()).collect();
        let layer = BatchNorm { gamma: &bn[0], beta: &bn[1], eps: 1e-5, residual: None, relu: false };
        let unit = match biased {
            true => brink_ops::Frozen::conv(&weight, &bn[0], window),
            false => brink_ops::Frozen::conv_bn(&weight, None, [&bn[0], &bn[1], &bn[2], &bn[3]], 1e-5, window),
        }.unwrap();
        let residual = window.output((shape[1], shape[2])) == Some((shape[1], shape[2]));
        let reduction = if mean { Reduction::Mean } else { Reduction::Sum };
        let joined = |y: Tensor, term: Tensor| y.broadcast_add(&(term * 0.7)?.reshape(((), 1, 1, 1))?);
        // Two kinks a unit: differences would meet one now and then. A whole network's are in the crate `models`.
        agree(
            &[var(seed, &shape)],
            &|_: &mut Tape, t: &[&Tensor]| {
                let [y, term] = brink_ops::node(t[0], |tape, x| {
                    let x = first.forward(tape, x, None, true)?;
                    let (y, term) = unit.forward_covered(tape, &x, residual.then_some(&x), relu, reduction)?;
                    Ok::<_, candle_core::Error>([y, term])
                })?;
                joined(y, term)
            },
            |t| {
                let x = portable::conv2d(t[0], &constant(1, &[o, shape[3], 1, 1]), Window::square(1, 1, 0))?;
                let x = portable::affine(&x, None, Some(&constant(2, &[o])), None, true)?;
                let a = portable::conv2d(&x, &weight, window)?;
                let a = if biased { a.broadcast_add(&bn[0])? } else { a };
                let negative = portable::relu(&a.neg()?)?.flatten_from(1)?;
                let term = if mean { negative.mean(1)? } else { negative.sum(1)? };
                let y = if biased { a } else { portable::batch_norm(&layer, &a, &bn[2], &bn[3])? };
                let y = if residual { (y + x)? } else { y };
                joined(if relu { portable::relu(&y)? } else { y }, term)
            },
        );
    }
}

#[test]
fn layouts_and_activations() {
    let x = var(7, &[3, 2, 5, 4]);
    let x = std::slice::from_ref(&x);
    check(
        x,
        |tape, t| brink_ops::channels_last(tape, t[0]),
        |t| t[0].permute((0, 2, 3, 1))?.contiguous(),
    );
    let mask = Tensor::from_vec(values(9, 120), &[3, 2, 5, 4][..], &Device::Cpu).unwrap();
    check(
        x,
        |tape, t| brink_ops::dropout(tape, t[0], &mask),
        |t| t[0] * &mask,
    );
    // What drops units of a ReLU's output leaves its mask to be applied.
    let (weight, point) = (
        var(10, &[4, 4, 1, 1]).as_detached_tensor(),
        Window::square(1, 1, 0),
    );
    check(
        x,
        |tape, t| {
            let y = brink_ops::conv2d(tape, t[0], &weight, None, true, point)?;
            brink_ops::dropout(tape, &y, &mask)
        },
        |t| portable::relu(&portable::conv2d(t[0], &weight, point)?)? * &mask,
    );
    for stride in [1, 2, 3] {
        check(
            x,
            |tape, t| brink_ops::option_a_shortcut(tape, t[0], stride, 3),
            |t| portable::option_a_shortcut(t[0], stride, 3),
        );
    }
    let (mean, std) = (values(1, 4), [0.5, 1.0, 2.0, 3.0]);
    let vectors = [mean.as_slice(), &std].map(|v| Tensor::new(v, &Device::Cpu).unwrap());
    check(
        x,
        |tape, t| brink_ops::normalize(tape, t[0], &vectors[0], &vectors[1]),
        |t| t[0].broadcast_sub(&vectors[0])?.broadcast_div(&vectors[1]),
    );
    for reduction in [Reduction::Sum, Reduction::Mean] {
        check(
            &[var(8, &[300, 70])],
            |tape, t| brink_ops::negative_part(tape, t[0], reduction),
            |t| {
                let part = portable::relu(&t[0].neg()?)?;
                match reduction {
                    Reduction::Sum => part.sum(1),
                    Reduction::Mean => part.mean(1),
                }
            },
        );
    }
}

/// A unit of six channels, frozen and as its parts.
struct Unit {
    frozen: brink_ops::Frozen,
    weight: Tensor,
    bn: Vec<Tensor>,
    window: Window,
}

impl Unit {
    fn new(seed: u64, kernel: usize) -> Self {
        let weight = var(seed, &[6, 6, kernel, kernel]).as_detached_tensor();
        let vector = |i| (var(seed + i, &[6]).as_detached_tensor() + 1.5).unwrap();
        let bn: Vec<Tensor> = (1..5).map(vector).collect();
        let window = Window::square(kernel, 1, kernel / 2);
        let layers = [&bn[0], &bn[1], &bn[2], &bn[3]];
        Self {
            frozen: brink_ops::Frozen::conv_bn(&weight, None, layers, 1e-5, window).unwrap(),
            weight,
            bn,
            window,
        }
    }

    fn convolved(&self, x: &Tensor) -> Result<Tensor> {
        portable::conv2d(x, &self.weight, self.window)
    }

    fn finished(&self, a: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let layer = BatchNorm {
            gamma: &self.bn[0],
            beta: &self.bn[1],
            eps: 1e-5,
            residual,
            relu,
        };
        portable::batch_norm(&layer, a, &self.bn[2], &self.bn[3])
    }

    fn composed(&self, x: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        self.finished(&self.convolved(x)?, residual, relu)
    }
}

/// Where several gradients meet at the output of a ReLU, whoever sends the last of them applies the mask to all: a ReLU's output
/// as residual, as input of two convolutions and of both poolings.
#[test]
fn gradients_that_meet_at_a_relu_are_masked() {
    let (a, b, c) = (Unit::new(10, 3), Unit::new(20, 3), Unit::new(30, 1));
    let window = Window::square(3, 1, 1);
    check(
        &[var(1, &[2, 5, 4, 6])],
        |tape, t| {
            let first = a.frozen.forward(tape, t[0], None, true)?;
            let second = b.frozen.forward(tape, &first, Some(&first), true)?;
            let side = c.frozen.forward(tape, &second, None, false)?;
            let third = b.frozen.forward(tape, &second, Some(&side), true)?;
            let pooled = brink_ops::max_pool2d(tape, &third, window)?;
            let fourth = a.frozen.forward(tape, &pooled, Some(&third), true)?;
            brink_ops::adaptive_avg_pool2d(tape, &fourth, (1, 1))
        },
        |t| {
            let first = a.composed(t[0], None, true)?;
            let second = b.composed(&first, Some(&first), true)?;
            let side = c.composed(&second, None, false)?;
            let third = b.composed(&second, Some(&side), true)?;
            let pooled = portable::max_pool2d(&third, window)?;
            let fourth = a.composed(&pooled, Some(&third), true)?;
            fourth.mean_keepdim((1, 2))
        },
    );
}

/// Whoever applies the mask: the walk itself, or the product that makes the gradient, in panels that are full and that are not.
#[test]
fn relu6_is_flat_at_both_ends() {
    let x = Tensor::new(&[-1.0, 0.0, 3.0, 6.0, 7.0, f64::NAN], &Device::Cpu).unwrap();
    let x = Var::from_tensor(&x).unwrap();
    let mut tape = Tape::recording();
    let ours = brink_ops::relu6(&mut tape, &x).unwrap();
    let theirs = portable::relu6(&x).unwrap();
    for y in [ours, theirs] {
        let values = y.to_vec1::<f64>().unwrap();
        assert_eq!(values[..5], [0.0, 0.0, 3.0, 6.0, 6.0]);
        assert!(values[5].is_nan());
        let grads = gradients(&tape, &y, |y| y.narrow(0, 0, 5)?.sum_all()).unwrap();
        let slopes = grads.get(&x).unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(slopes[..5], [0.0, 0.0, 1.0, 0.0, 0.0]);
    }
}

#[test]
fn the_gradient_of_relu_at_zero_is_zero() {
    let x = Var::zeros((2, 4), DType::F64, &Device::Cpu).unwrap();
    for hidden in [5, 16] {
        let [first, second] =
            [[hidden, 4], [3, hidden]].map(|shape| var(1, &shape).as_detached_tensor());
        let [zeros, bias] =
            [hidden, 3].map(|o| Tensor::zeros(o, DType::F64, &Device::Cpu).unwrap());
        for relu in [false, true] {
            let mut tape = Tape::recording();
            let ours = brink_ops::linear(&mut tape, &x, &first, &zeros, relu).unwrap();
            let theirs = portable::linear(&x, &first, &zeros, relu).unwrap();
            let behind = brink_ops::linear(&mut tape, &ours, &second, &bias, false).unwrap();
            for y in [ours, behind, theirs] {
                let grads = gradients(&tape, &y, Tensor::sum_all).unwrap();
                let gradient = seen(grads.get(&x).unwrap());
                let none = gradient.iter().all(|&g| g == Some(0.0));
                assert_eq!(none, relu, "{gradient:?}");
            }
        }
    }
}

#[test]
fn only_tracked_gradients_are_made() {
    let (x, w) = (var(1, &[1, 4, 4, 2]), var(2, &[3, 2, 3, 3]));
    let (mut tape, constant) = (Tape::recording(), w.as_detached_tensor());
    let y = brink_ops::conv2d(
        &mut tape,
        &x,
        &constant,
        None,
        false,
        Window::square(3, 1, 1),
    )
    .unwrap();
    let grads = gradients(&tape, &y, Tensor::sum_all).unwrap();
    assert!(grads.get(&x).is_some());
    assert!(grads.get(&constant).is_none());
}

/// What differs as a number, with a name for NaN, which does not equal itself.
fn seen(t: &Tensor) -> Vec<Option<f64>> {
    let values: Vec<f64> = t.flatten_all().unwrap().to_vec1().unwrap();
    let number = |x: f64| (!x.is_nan()).then_some(x);
    values.into_iter().map(number).collect()
}

/// Outputs are the same, and gradients where there is no NaN.
#[test]
fn both_see_the_same_of_nan_and_infinities() {
    const LOW: f64 = f64::NEG_INFINITY;
    let map = |values: [f64; 16]| {
        let x = Tensor::from_vec(values.to_vec(), (1, 4, 4, 1), &Device::Cpu);
        Var::from_tensor(&x.unwrap()).unwrap()
    };
    // NaN behind a number, and behind an infinity; a window of nothing but what is lower than all of f32.
    let nan = map([
        1.0,
        f64::NAN,
        LOW,
        LOW,
        -2.0,
        3.0,
        LOW,
        -1e300, //
        f64::INFINITY,
        0.0,
        -1.0,
        -0.0,
        -3.0,
        f64::NAN,
        5.0,
        LOW,
    ]);
    let numbers = map([
        1.0,
        1.0,
        LOW,
        LOW,
        -2.0,
        1.0,
        LOW,
        -1e300, //
        f64::INFINITY,
        0.0,
        -1.0,
        2.0,
        -3.0,
        LOW,
        5.0,
        LOW,
    ]);
    let constant = |value: f64| Tensor::new(&[value], &Device::Cpu).unwrap();
    let (zero, one) = (constant(0.0), constant(1.0));
    let relu = BatchNorm {
        gamma: &one,
        beta: &zero,
        eps: 0.0,
        residual: None,
        relu: true,
    };
    for x in [&nan, &numbers] {
        let compare = |name: &str, ours: &dyn Fn(&mut Tape) -> Tensor, theirs: Tensor| {
            let mut tape = Tape::recording();
            let ours = ours(&mut tape);
            assert_eq!(seen(&ours), seen(&theirs), "{name}");
            let [a, b] = [&ours, &theirs].map(|y| {
                let grads = gradients(&tape, y, Tensor::sum_all).unwrap();
                seen(grads.get(x).unwrap())
            });
            if name == "relu" || x.id() == numbers.id() {
                assert_eq!(a, b, "gradient of {name}");
            }
        };
        compare(
            "relu",
            &|tape| relu.eval(tape, x, &zero, &one).unwrap(),
            portable::relu(x).unwrap(),
        );
        for window in [
            Window::square(2, 2, 0),
            Window::square(3, 1, 1),
            Window::square(3, 2, 1),
        ] {
            compare(
                &format!("{window:?}"),
                &|tape| brink_ops::max_pool2d(tape, x, window).unwrap(),
                portable::max_pool2d(x, window).unwrap(),
            );
        }
    }
}

#[test]
fn the_gradient_of_an_output_may_lie_in_any_order() {
    let (x, w) = (var(1, &[2, 4, 3, 2]), var(2, &[5, 2, 3, 3]));
    let mut tape = Tape::recording();
    let window = Window::square(3, 1, 1);
    let y = brink_ops::conv2d(&mut tape, &x, &w, None, true, window).unwrap();
    let seed = var(3, &[2, 5, 3, 4]).as_detached_tensor();
    let seed = seed.permute((0, 3, 2, 1)).unwrap();
    let of = |seed: Tensor| tape.backward([(&y, seed)]).unwrap();
    let (turned, straight) = (of(seed.clone()), of(seed.contiguous().unwrap()));
    for input in [&x, &w] {
        let [turned, straight] = [&turned, &straight].map(|grads| grads.get(input).unwrap());
        assert_eq!(distance(turned, straight), 0.0);
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let (x, w) = (var(1, &[1, 4, 4, 2]), var(2, &[3, 5, 3, 3]));
    let tape = &mut Tape::off();
    let error = brink_ops::conv2d(tape, &x, &w, None, false, Window::square(3, 1, 1))
        .unwrap_err()
        .to_string();
    assert!(error.contains("do not fit"), "{error}");
    let error = brink_ops::max_pool2d(tape, &x, Window::square(5, 1, 0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("smaller than"), "{error}");
    for window in [Window::square(2, 0, 0), Window::square(0, 1, 0)] {
        let error = brink_ops::max_pool2d(tape, &x, window)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no size or no stride"), "{error}");
    }
    let none = var(3, &[0, 4]);
    let error = brink_ops::negative_part(tape, &none, Reduction::Sum).unwrap_err();
    assert!(error.to_string().contains("no images"), "{error}");
    let (two, three) = (var(4, &[2]), var(5, &[3]));
    let layer = BatchNorm {
        gamma: &two,
        beta: &two,
        eps: 1e-5,
        residual: None,
        relu: false,
    };
    for (mean, variance) in [(&two, &three), (&three, &two)] {
        let error = layer.eval(tape, &x, mean, variance).unwrap_err();
        assert!(error.to_string().contains("do not fit"), "{error}");
    }
    let fails = |result: Result<Tensor>, with: &str| {
        let error = result.expect_err(with).to_string();
        assert!(error.contains(with), "{error}");
    };
    for nothing in [[1, 3, 0, 0], [1, 0, 2, 2]] {
        fails(
            brink_ops::channels_last(tape, &var(8, &nothing)),
            "no pixels",
        );
    }
    fails(brink_ops::option_a_shortcut(tape, &x, 0, 2), "no stride");
    let unit =
        brink_ops::Frozen::conv(&var(9, &[3, 2, 1, 1]), &three, Window::square(1, 1, 0)).unwrap();
    let none = var(10, &[0, 4, 4, 2]);
    let covered = unit.forward_covered(tape, &none, None, true, Reduction::Sum);
    fails(covered.map(|(y, _)| y), "no images");
    let (weight, bins) = (var(11, &[3, 2 * 49]), (7, 7));
    let layer = brink_ops::FrozenPooledLinear::new(&weight, &three, bins).unwrap();
    for (shape, with) in [
        (&[][..], "rank"),
        (&[2], "rank"),
        (&[1, 0, 0, 2], "no pixels"),
    ] {
        let x = var(12, shape);
        fails(layer.forward(tape, &x, false), with);
        fails(
            brink_ops::pooled_linear(tape, &x, &weight, &three, bins, false),
            with,
        );
    }
    let step = brink_ops::SgdStep {
        lr: 1.0,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
        first: true,
    };
    for sgd in [brink_ops::sgd, portable::sgd] {
        let error = sgd(&two, None, &two, step).unwrap_err().to_string();
        assert!(error.contains("without a velocity"), "{error}");
    }
    let unit = brink_ops::Frozen::linear(&var(13, &[3, 8]), &three, (2, 2)).unwrap();
    for shape in [[1, 2, 2, 3], [1, 1, 4, 2], [1, 1, 1, 8]] {
        fails(
            unit.forward(tape, &var(14, &shape), None, false),
            "linear: ",
        );
    }
    // Neither too short nor too long.
    let (weight, four) = (var(6, &[3, 2, 1, 1]), var(7, &[4]));
    for wrong in [&two, &four] {
        for at in 0..4 {
            let mut vectors = [three.as_tensor(); 4];
            vectors[at] = wrong;
            let unit =
                brink_ops::Frozen::conv_bn(&weight, None, vectors, 1e-5, Window::square(1, 1, 0));
            let Err(error) = unit else {
                panic!("vector {at} of {:?}", wrong.shape());
            };
            assert!(
                error.to_string().contains("with bias or normalisation"),
                "{error}"
            );
        }
    }
}
