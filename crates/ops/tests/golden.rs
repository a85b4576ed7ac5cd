//! Every operation against PyTorch's values in f64, forward and backward, in f64 and in f32. The composition of candle's own operations is
//! compared with the same values.
//!
//! The inputs are exact in f32, so only rounding may differ. The error of a sum of `k` products, in any order, with or without fused
//! multiply-adds, is at most `k u` times the sum of the products' magnitudes. `u` is the unit roundoff: 2^-24 for f32, 2^-53 for f64. The
//! operation itself gives the sums of magnitudes, from the inputs' magnitudes. PyTorch's f64 is rounded, too, so the bound is doubled.

mod common;
mod support;

use brink_ops::{AdamStep, BatchNorm, SgdStep, Tape, Window, portable};
use candle_core::{DType, Device, Result, Tensor, Var};
use common::gradients;
use serde_json::Value;
use std::collections::BTreeMap;
use support::fixture::Fixture;
use support::{Deviation, formula};

/// Both precisions with their unit roundoffs.
const PRECISIONS: [(DType, f64); 2] = [
    (DType::F64, 1.0 / (1u64 << 53) as f64),
    (DType::F32, 1.0 / (1 << 24) as f64),
];

/// An input by its name in the fixtures, with its values in channels-first order.
struct Input {
    name: &'static str,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Input {
    fn new(name: &'static str, shape: &[usize], values: Vec<f32>) -> Self {
        Self {
            name,
            shape: shape.into(),
            values,
        }
    }
}

/// What one operation gives: its output `y`, `d<input>` for each input, and whatever else it has to say.
type Outputs = BTreeMap<String, Vec<f64>>;

fn flat(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64)
        .and_then(|t| t.flatten_all()?.to_vec1())
        .unwrap()
}

/// Channels-last to channels-first; matrices as they are.
fn channels_first(y: &Tensor) -> Result<Tensor> {
    if y.rank() == 4 {
        y.permute((0, 3, 1, 2))?.contiguous()
    } else {
        Ok(y.clone())
    }
}

/// Runs `op` on `inputs` in one precision, and backward from the formula's output gradient. `map` is applied to every number
/// that goes in.
fn run(
    name: &str,
    inputs: &[Input],
    dtype: DType,
    map: fn(f32) -> f32,
    op: impl Fn(&mut Tape, &[Tensor]) -> Result<Tensor>,
) -> Outputs {
    let tensor = |values: &[f32], shape: &[usize]| {
        let values = values.iter().copied().map(map).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
            .and_then(|t| t.to_dtype(dtype))
            .unwrap()
    };
    let vars: Vec<Var> = inputs
        .iter()
        .map(|input| Var::from_tensor(&tensor(&input.values, &input.shape)).unwrap())
        .collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let mut tape = Tape::recording();
    let end = op(&mut tape, &tensors).unwrap();
    let y = channels_first(&end).unwrap();
    let dy = tensor(
        &formula::plain(&format!("{name}.dy"), y.elem_count()),
        y.dims(),
    );
    let loss = |end: &Tensor| (channels_first(end)? * &dy)?.sum_all();
    let grads = gradients(&tape, &end, loss).unwrap();
    let mut outputs = Outputs::from([("y".into(), flat(&y))]);
    for (input, var) in inputs.iter().zip(&vars) {
        outputs.insert(format!("d{}", input.name), flat(grads.get(var).unwrap()));
    }
    outputs
}

/// Compares an operation that sums products with the fixture `name`: each output is a sum of so many `terms`.
fn check_sums(
    name: &str,
    fixture: &Fixture,
    case: usize,
    inputs: &[Input],
    terms: &[(&str, usize)],
    op: impl Fn(&mut Tape, &[Tensor]) -> Result<Tensor>,
) {
    let name = format!("{name}.{case}");
    let magnitudes = run(&name, inputs, DType::F64, f32::abs, &op);
    for (dtype, roundoff) in PRECISIONS {
        let outputs = run(&name, inputs, dtype, |x| x, &op);
        for &(key, terms) in terms {
            let (actual, expected) = (&outputs[key], fixture.values(&format!("{case}.{key}")));
            let deviation = Deviation::of(actual, &expected);
            println!("{name} {key} {dtype:?}: {:.1e}", deviation.share);
            let bound = 2.0 * terms as f64 * roundoff;
            let hint = match key {
                "y" => "which taps or inputs does this element sum?",
                "dx" => "the gradient by the input: are its taps the transposed ones?",
                _ => "the gradient by a parameter: is it summed over all images and places?",
            };
            for ((actual, expected), magnitude) in
                actual.iter().zip(&expected).zip(&magnitudes[key])
            {
                assert!(
                    (actual - expected).abs() <= bound * magnitude,
                    "{name}: {key} in {dtype:?} differs beyond rounding: {deviation}\nhint: {hint}"
                );
            }
        }
    }
}

fn fixture(name: &str) -> Fixture {
    Fixture::read(env!("CARGO_MANIFEST_DIR"), name)
}

#[test]
fn the_formula_gives_its_known_answers() {
    assert_eq!(formula::fnv1a64("conv1.weight"), 0x69a2_9a2c_ee47_d254);
    assert_eq!(
        formula::words("images").take(2).collect::<Vec<_>>(),
        [0x2f39_b8d1_ee7a_81ec, 0xe8d8_937a_3835_366f]
    );
    let bits = |values: Vec<f32>| [values[0].to_bits(), values[1].to_bits()];
    assert_eq!(
        bits(formula::parameter("conv1.weight", &[64, 3, 7, 7])),
        [0x3c95_337c, 0xbe2f_ec8c]
    );
    assert_eq!(
        bits(formula::parameter("fc.bias", &[10])),
        [0xbb92_76e7, 0xbd60_ef53]
    );
    assert_eq!(
        bits(formula::parameter("bn1.weight", &[64])),
        [0x3f71_af55, 0x3f7b_eec4]
    );
    assert_eq!(
        bits(formula::parameter("bn1.running_var", &[64])),
        [0x3f92_3722, 0x3f7c_1c4b]
    );
    assert_eq!(
        bits(formula::images(&[1, 1, 1, 2])),
        [0x3e3c_e6e0, 0x3f68_d893]
    );
    assert_eq!(
        formula::places("conv1.weight", 9408)[..4],
        [5913, 5742, 1764, 54]
    );
}

#[test]
fn conv2d() {
    let fixture = fixture("conv2d");
    for case in fixture.cases() {
        let [c, o, kernel, stride, padding, h, w, n] = fixture.sizes(&format!("{case}.case"))[..]
        else {
            panic!("conv2d.{case}: eight sizes")
        };
        let window = Window::square(kernel, stride, padding);
        let (oh, ow) = window.output((h, w)).unwrap();
        let inputs = [
            Input::new(
                "x",
                &[n, c, h, w],
                formula::plain(&format!("conv2d.{case}.x"), n * c * h * w),
            ),
            Input::new(
                "weight",
                &[o, c, kernel, kernel],
                formula::parameter(&format!("conv2d.{case}.weight"), &[o, c, kernel, kernel]),
            ),
        ];
        let taps = kernel * kernel;
        let terms = [("y", c * taps), ("dx", o * taps), ("dweight", n * oh * ow)];
        check_sums("conv2d", &fixture, case, &inputs, &terms, |tape, t| {
            let x = brink_ops::channels_last(tape, &t[0])?;
            brink_ops::conv2d(tape, &x, &t[1], None, false, window)
        });
        check_sums("conv2d", &fixture, case, &inputs, &terms, |_, t| {
            portable::conv2d(&t[0].permute((0, 2, 3, 1))?, &t[1], window)
        });
    }
}

#[test]
fn max_pool2d() {
    let fixture = fixture("max_pool2d");
    for case in fixture.cases() {
        let [kernel, stride, padding, c, h, w, n] = fixture.sizes(&format!("{case}.case"))[..]
        else {
            panic!("max_pool2d.{case}: seven sizes")
        };
        let window = Window::square(kernel, stride, padding);
        let x = formula::unit(&format!("max_pool2d.{case}.x"), n * c * h * w)
            .into_iter()
            .map(|u| (4.0 * u).floor());
        let inputs = [Input::new("x", &[n, c, h, w], x.collect())];
        // A maximum is not rounded; a gradient is the sum of those of the windows that meet there.
        let terms = [("y", 0), ("dx", kernel * kernel)];
        check_sums("max_pool2d", &fixture, case, &inputs, &terms, |tape, t| {
            let x = brink_ops::channels_last(tape, &t[0])?;
            brink_ops::max_pool2d(tape, &x, window)
        });
        check_sums("max_pool2d", &fixture, case, &inputs, &terms, |_, t| {
            portable::max_pool2d(&t[0].permute((0, 2, 3, 1))?, window)
        });
    }
}

#[test]
fn linear() {
    let fixture = fixture("linear");
    for case in fixture.cases() {
        let [i, o, n] = fixture.sizes(&format!("{case}.case"))[..] else {
            panic!("linear.{case}: three sizes")
        };
        let inputs = [
            Input::new(
                "x",
                &[n, i],
                formula::plain(&format!("linear.{case}.x"), n * i),
            ),
            Input::new(
                "weight",
                &[o, i],
                formula::parameter(&format!("linear.{case}.weight"), &[o, i]),
            ),
            Input::new(
                "bias",
                &[o],
                formula::parameter(&format!("linear.{case}.bias"), &[o]),
            ),
        ];
        let terms = [("y", i + 1), ("dx", o), ("dweight", n), ("dbias", n)];
        check_sums("linear", &fixture, case, &inputs, &terms, |tape, t| {
            brink_ops::linear(tape, &t[0], &t[1], &t[2], false)
        });
    }
}

/// There are as many roundings as rows in the sums of a channel, and a few. What is normalised loses what subtracting the mean
/// cancels: relative to its largest magnitude the roundings weigh up to `max |x| / min std` more.
#[test]
fn batch_norm() {
    const EPS: f64 = 1e-5;
    const MOMENTUM: f64 = 0.1;
    fn layer(t: &[Tensor]) -> BatchNorm<'_> {
        BatchNorm {
            gamma: &t[1],
            beta: &t[2],
            eps: EPS,
            residual: None,
            relu: false,
        }
    }
    let fixture = fixture("batch_norm");
    for case in fixture.cases() {
        let [c, h, w, n] = fixture.sizes(&format!("{case}.case"))[..] else {
            panic!("batch_norm.{case}: four sizes")
        };
        let name = format!("batch_norm.{case}");
        let [centre, scale] = fixture.values(&format!("{case}.input"))[..] else {
            panic!("{name}: centre and scale")
        };
        let vector = |kind: &str| formula::parameter(&format!("{name}.{kind}"), &[c]);
        let x = formula::around(
            centre as f32,
            scale as f32,
            &format!("{name}.x"),
            n * c * h * w,
        );
        let largest = x.iter().fold(0.0, |m: f64, x| m.max(f64::from(x.abs())));
        let inputs = [
            Input::new("x", &[n, c, h, w], x),
            Input::new("weight", &[c], vector("weight")),
            Input::new("bias", &[c], vector("bias")),
        ];
        let rows = n * h * w;
        for (dtype, roundoff) in PRECISIONS {
            let running = |kind| {
                Tensor::new(vector(kind), &Device::Cpu)
                    .and_then(|t| t.to_dtype(dtype))
                    .unwrap()
            };
            let (mean, variance) = (running("running_mean"), running("running_var"));
            let check = |mode: &str, outputs: &Outputs, smallest_variance: f64| {
                let cancellation = 1.0 + largest / (smallest_variance + EPS).sqrt();
                for (key, actual) in outputs {
                    let normalised = matches!(key.as_str(), "y" | "dx" | "dweight");
                    let tolerance = 2.0
                        * (rows + 8) as f64
                        * roundoff
                        * if normalised { cancellation } else { 1.0 };
                    let deviation =
                        Deviation::of(actual, &fixture.values(&format!("{case}.{mode}.{key}")));
                    println!(
                        "{name} {mode} {key} {dtype:?}: {:.1e} (tolerance {tolerance:.1e})",
                        deviation.share
                    );
                    let hint = "biased variance in the output, unbiased in the running statistics; the variance in two passes";
                    deviation.assert_within(
                        tolerance,
                        &format!("{name}: {key} in {mode} mode in {dtype:?}"),
                        hint,
                    );
                }
            };
            let smallest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);

            for portable in [false, true] {
                let outputs = run(
                    &name,
                    &inputs,
                    dtype,
                    |x| x,
                    |tape, t| {
                        let layer = layer(t);
                        if portable {
                            let x = t[0].permute((0, 2, 3, 1))?;
                            return portable::batch_norm(&layer, &x, &mean, &variance);
                        }
                        let x = brink_ops::channels_last(tape, &t[0])?;
                        layer.eval(tape, &x, &mean, &variance)
                    },
                );
                check("eval", &outputs, smallest(&flat(&variance)));

                let batch = std::cell::RefCell::new(None);
                let mut outputs = run(
                    &name,
                    &inputs,
                    dtype,
                    |x| x,
                    |tape, t| {
                        let layer = layer(t);
                        let (y, statistics) = if portable {
                            portable::batch_norm_train(&layer, &t[0].permute((0, 2, 3, 1))?)?
                        } else {
                            let x = brink_ops::channels_last(tape, &t[0])?;
                            layer.train(tape, &x)?
                        };
                        batch.replace(Some(statistics));
                        Ok(y)
                    },
                );
                let batch = batch.into_inner().unwrap();
                assert_eq!(batch.count, rows);
                let moved = |old: &Tensor, new: &mut dyn Iterator<Item = f64>| {
                    flat(old)
                        .into_iter()
                        .zip(new)
                        .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * new)
                        .collect()
                };
                outputs.insert(
                    "running_mean".into(),
                    moved(&mean, &mut batch.mean.iter().copied()),
                );
                outputs.insert(
                    "running_var".into(),
                    moved(&variance, &mut batch.unbiased_variance()),
                );
                check("train", &outputs, smallest(&batch.variance));
            }
        }
    }
}

/// Weights after each step, as PyTorch's optimisers move them.
#[test]
fn optimisers() {
    let golden = include_str!("../../models/tests/golden/optimisers.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    for (name, golden) in golden["optimisers"].as_object().unwrap() {
        let rows: Vec<Vec<f64>> = serde_json::from_value(golden["weights"].clone()).unwrap();
        let option = |key: &str| golden["options"][key].as_f64().unwrap_or_default();
        for (dtype, roundoff) in PRECISIONS {
            for portable in [false, true] {
                let vector = |values: Vec<f32>| {
                    Tensor::new(values, &Device::Cpu)
                        .and_then(|t| t.to_dtype(dtype))
                        .unwrap()
                };
                let count = rows[0].len();
                let weight = Var::from_tensor(&vector(formula::plain("weights", count))).unwrap();
                let state = [(); 2].map(|()| Var::zeros(count, dtype, &Device::Cpu).unwrap());
                for (t, expected) in rows.iter().enumerate() {
                    let grad = vector(formula::plain(&format!("gradient.{t}"), count));
                    let (lr, weight_decay) = (option("lr"), option("weight_decay"));
                    if name.starts_with("adam") {
                        let betas: (f64, f64) =
                            serde_json::from_value(golden["options"]["betas"].clone()).unwrap();
                        let step = AdamStep {
                            lr,
                            betas,
                            eps: option("eps"),
                            weight_decay,
                            step: t as u64 + 1,
                        };
                        let adam = if portable {
                            portable::adam
                        } else {
                            brink_ops::adam
                        };
                        adam(&weight, &state[0], &state[1], &grad, step).unwrap();
                    } else {
                        let nesterov = golden["options"]["nesterov"] == true;
                        let step = SgdStep {
                            lr,
                            momentum: option("momentum"),
                            nesterov,
                            weight_decay,
                            first: t == 0,
                        };
                        let sgd = if portable {
                            portable::sgd
                        } else {
                            brink_ops::sgd
                        };
                        sgd(&weight, Some(&state[0]), &grad, step).unwrap();
                    }
                    let deviation = Deviation::of(&flat(&weight), expected);
                    println!("{name} step {t} {dtype:?}: {:.1e}", deviation.share);
                    // Up to ten roundings a step, each of a number no larger than the largest weight.
                    let tolerance = 10.0 * (t + 1) as f64 * roundoff;
                    let hint = "the first step's momentum buffer is the gradient; Adam counts from 1 and adds eps after the root";
                    deviation.assert_within(
                        tolerance,
                        &format!("{name} after step {t} in {dtype:?}"),
                        hint,
                    );
                }
            }
        }
    }
}
