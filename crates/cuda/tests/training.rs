//! Training steps through the stand-in against `brink-ops`, bit for bit: every kind of layer, odd sizes, many batches, every update rule.

mod common;
#[path = "common/compare.rs"]
mod compare;
#[path = "common/trained.rs"]
mod trained;

use std::sync::Arc;

use brink_cuda::{Gpu, Memory};
use brink_ops::{BatchNorm, Tape, Window};
use candle_core::{Result, Tensor, Var};
use compare::Draw;
use proptest::prelude::*;
use trained::{Made, RULES, Rule, same_steps};

fn gpu() -> Option<Arc<Gpu>> {
    let library = common::library()?;
    Some(Gpu::open_with(&library, 0, Memory::default()).unwrap())
}

/// Which statistics a layer is normalised with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Norm {
    None,
    Running,
    Batch,
}

/// A layer with everything around it.
#[derive(Clone, Copy, Debug)]
struct Layer {
    n: usize,
    map: (usize, usize),
    channels: (usize, usize),
    kernel: (usize, usize),
    stride: usize,
    padding: usize,
    norm: Norm,
    /// A bias, a residual, a ReLU, a layer before, so that its input has a gradient; and whether each channel is convolved alone.
    with: [bool; 5],
    rule: Rule,
}

impl Layer {
    fn plain(n: usize, map: usize, channels: (usize, usize), k: usize, s: usize, p: usize) -> Self {
        Self {
            n,
            map: (map, map),
            channels,
            kernel: (k, k),
            stride: s,
            padding: p,
            norm: Norm::Batch,
            with: [false, false, true, true, false],
            rule: Rule::Momentum(0.01, true),
        }
    }

    /// Two steps, the second on a smaller batch.
    fn check(&self, gpu: &Arc<Gpu>) {
        let [bias, residual, relu, before, alone] = self.with;
        let window = Window {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        };
        let (h, w) = self.map;
        let Some((oh, ow)) = window.output((h, w)) else {
            return;
        };
        // Without a layer before, the images are the input.
        let c = if before { self.channels.0 } else { 3 };
        let o = if alone { c } else { self.channels.1 };
        let mut draw = Draw((c * 31 + o * 7 + h) as u64);
        let mut parameters = Vec::new();
        let mut var = |tensor: Tensor| {
            let var = Var::from_tensor(&tensor).unwrap();
            parameters.push(var.clone());
            var
        };
        let first = before.then(|| [var(draw.tensor((c, 3, 1, 1))), var(draw.tensor(c))]);
        let inputs = if alone { 1 } else { c };
        let weight = var(draw.tensor((o, inputs, self.kernel.0, self.kernel.1)));
        let bias = (bias && !alone).then(|| var(draw.tensor(o)));
        let [gamma, beta, mean, variance] = draw.normalisation(o);
        let vectors = (self.norm != Norm::None).then(|| [var(gamma), var(beta)]);
        // Only a normalisation adds a residual.
        let aside = (residual && vectors.is_some())
            .then(|| [var(draw.tensor((o, c, 1, 1))), var(draw.tensor(o))]);
        let record = |tape: &mut Tape, images: &Tensor, _: &[Tensor]| {
            let point = Window::square(1, 1, 0);
            let mut x = brink_ops::channels_last(tape, images)?;
            if let Some([weight, bias]) = &first {
                x = brink_ops::conv2d(tape, &x, weight, Some(bias), true, point)?;
            }
            let residual = match &aside {
                Some([weight, bias]) => {
                    let pooled = brink_ops::adaptive_avg_pool2d(tape, &x, (oh, ow))?;
                    Some(brink_ops::conv2d(
                        tape,
                        &pooled,
                        weight,
                        Some(bias),
                        false,
                        point,
                    )?)
                }
                None => None,
            };
            let own = relu && vectors.is_none();
            let y = match alone {
                true => brink_ops::depthwise_conv2d(tape, &x, &weight, window)?,
                false => {
                    let bias = bias.as_ref().map(Var::as_tensor);
                    brink_ops::conv2d(tape, &x, &weight, bias, own, window)?
                }
            };
            let Some([gamma, beta]) = &vectors else {
                return Ok(y.into());
            };
            let layer = BatchNorm {
                gamma,
                beta,
                eps: 1e-5,
                residual: residual.as_ref(),
                relu,
            };
            match self.norm {
                Norm::Batch => {
                    let (end, statistics) = layer.train(tape, &y)?;
                    Ok(Made {
                        end,
                        statistics: vec![statistics],
                    })
                }
                _ => Ok(layer.eval(tape, &y, &mean, &variance)?.into()),
            }
        };
        let batches = [self.n, self.n.div_ceil(2)];
        let batches = batches.map(|n| draw.tensor((n, 3, h, w)));
        same_steps(gpu, &parameters, (&batches, &[]), self.rule, 1.0, record);
    }
}

/// One layer of each geometry of torchvision's ResNets, VGGs and MobileNets, and of those for small images.
#[test]
fn geometries_of_the_networks() {
    let Some(gpu) = gpu() else { return };
    let layers = [
        Layer::plain(2, 33, (3, 64), 7, 2, 3),
        Layer::plain(2, 32, (3, 16), 3, 1, 1),
        Layer::plain(3, 8, (64, 64), 3, 1, 1),
        Layer::plain(3, 8, (64, 128), 3, 2, 1),
        Layer::plain(3, 8, (64, 128), 1, 2, 0),
        Layer::plain(150, 1, (70, 66), 3, 1, 1),
        Layer::plain(2, 4, (256, 64), 1, 1, 0),
        Layer::plain(130, 2, (16, 16), 3, 1, 1),
        Layer::plain(4, 5, (24, 144), 1, 1, 0),
        Layer::plain(2, 1, (1280, 10), 1, 1, 0),
    ];
    for (i, layer) in layers.into_iter().enumerate() {
        for (j, norm) in [Norm::None, Norm::Running, Norm::Batch]
            .into_iter()
            .enumerate()
        {
            let with = [j == 0, i % 2 == 0, true, layer.channels.0 > 3, false];
            let rule = RULES[(i + j) % RULES.len()];
            Layer {
                norm,
                with,
                rule,
                ..layer
            }
            .check(&gpu);
        }
    }
}

/// Chains of 128 rows, runs of 16 and blocks of 512 begin and end at every batch; and rounds, which are smaller in a small memory.
#[test]
fn batches_from_1_to_300() {
    let Some(gpu) = gpu() else { return };
    for n in [
        1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 127, 128, 129, 150, 255, 257, 300,
    ] {
        Layer::plain(n, 2, (5, 9), 3, 1, 1).check(&gpu);
    }
    // More than 512 pixels, and 40 chains.
    Layer::plain(5, 32, (4, 6), 3, 1, 1).check(&gpu);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layer(
        (n, h, w) in (1usize..6, 1usize..14, 1usize..14),
        (c, o) in (1usize..70, 1usize..70),
        (kh, kw, stride, padding) in (1usize..6, 1usize..6, 1usize..4, 0usize..3),
        norm in prop_oneof![Just(Norm::None), Just(Norm::Running), Just(Norm::Batch)],
        with in any::<[bool; 5]>(),
        rule in 0..RULES.len(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let rule = RULES[rule];
        Layer { n, map: (h, w), channels: (c, o), kernel: (kh, kw), stride, padding, norm, with, rule }.check(&gpu);
    }
}

/// The classifier of a VGG: pooled linear layers on small maps and on the bins themselves, and dropout between.
#[test]
fn linear_layers_and_dropout() {
    let Some(gpu) = gpu() else { return };
    for (n, map, c, o, bins) in [
        (3, (1, 1), 33, 40, (7, 7)),
        (2, (4, 4), 20, 33, (7, 7)),
        (130, (1, 2), 8, 5, (3, 3)),
        (2, (9, 8), 5, 17, (7, 7)),
    ] {
        for rule in [RULES[3], RULES[4]] {
            let mut draw = Draw(3);
            let mut parameters = Vec::new();
            let mut var = |tensor: Tensor| {
                let var = Var::from_tensor(&tensor).unwrap();
                parameters.push(var.clone());
                var
            };
            let first = [var(draw.tensor((c, 3, 1, 1))), var(draw.tensor(c))];
            let pooled = [
                var(draw.tensor((o, c * bins.0 * bins.1))),
                var(draw.tensor(o)),
            ];
            let last = [var(draw.tensor((10, o))), var(draw.tensor(10))];
            // Half of the units are dropped.
            let mask = draw.tensor((n, o));
            let mask = (mask
                .ge(0f32)
                .unwrap()
                .to_dtype(candle_core::DType::F32)
                .unwrap()
                * 2.0)
                .unwrap();
            let batches = [n, 1].map(|n| draw.tensor((n, 3, map.0, map.1)));
            same_steps(
                &gpu,
                &parameters,
                (&batches, &[mask]),
                rule,
                1.0,
                |tape, images, masks| {
                    let x = brink_ops::channels_last(tape, images)?;
                    let point = Window::square(1, 1, 0);
                    let x = brink_ops::conv2d(tape, &x, &first[0], Some(&first[1]), true, point)?;
                    let x = brink_ops::pooled_linear(tape, &x, &pooled[0], &pooled[1], bins, true)?;
                    let x = brink_ops::dropout(tape, &x, &masks[0])?;
                    Ok(brink_ops::linear(tape, &x, &last[0], &last[1], false)?.into())
                },
            );
        }
    }
}

/// What is between layers: normalised images, pooling, ReLU6, shortcuts, and a map that is read three times.
#[test]
fn between_layers() {
    let Some(gpu) = gpu() else { return };
    let mut draw = Draw(8);
    let mut parameters = Vec::new();
    let mut var = |tensor: Tensor| {
        let var = Var::from_tensor(&tensor).unwrap();
        parameters.push(var.clone());
        var
    };
    let first = [var(draw.tensor((8, 3, 3, 3))), var(draw.tensor(8))];
    let second = [var(draw.tensor((8, 8, 3, 3))), var(draw.tensor(8))];
    let [gamma, beta, mean, _] = draw.normalisation(8);
    let [gamma, beta] = [var(gamma), var(beta)];
    let std = (mean.narrow(0, 0, 3).unwrap().abs().unwrap() + 0.5).unwrap();
    let mean = mean.narrow(0, 0, 3).unwrap().contiguous().unwrap();
    let last = [var(draw.tensor((10, 13))), var(draw.tensor(10))];
    let batches = [3, 2].map(|n| draw.tensor((n, 3, 15, 13)));
    let record = |tape: &mut Tape, images: &Tensor, _: &[Tensor]| -> Result<Made> {
        let window = Window::square(3, 1, 1);
        let x = brink_ops::channels_last(tape, images)?;
        let x = brink_ops::normalize(tape, &x, &mean, &std)?;
        let x = brink_ops::conv2d(tape, &x, &first[0], Some(&first[1]), true, window)?;
        let x = brink_ops::max_pool2d(tape, &x, Window::square(3, 2, 1))?;
        let y = brink_ops::conv2d(tape, &x, &second[0], Some(&second[1]), true, window)?;
        let layer = BatchNorm {
            gamma: &gamma,
            beta: &beta,
            eps: 1e-5,
            residual: Some(&x),
            relu: true,
        };
        let (y, statistics) = layer.train(tape, &y)?;
        let y = brink_ops::relu6(tape, &y)?;
        let y = brink_ops::option_a_shortcut(tape, &y, 2, 5)?;
        let y = brink_ops::adaptive_avg_pool2d(tape, &y, (1, 1))?;
        let end = brink_ops::linear(tape, &y, &last[0], &last[1], false)?;
        Ok(Made {
            end,
            statistics: vec![statistics],
        })
    };
    for rule in RULES {
        same_steps(&gpu, &parameters, (&batches, &[]), rule, 1.0, record);
    }
}

/// Gradients so small that moments and squares become 0 instead of subnormal.
#[test]
fn faint_gradients() {
    let Some(gpu) = gpu() else { return };
    for size in [1e-18, 1e-30, 1e-37, 1e-44] {
        for rule in RULES {
            let mut draw = Draw(5);
            let weight = Var::from_tensor(&draw.tensor((4, 3, 1, 1))).unwrap();
            let bias = Var::from_tensor(&draw.tensor(4)).unwrap();
            let batches = [2, 2, 2].map(|n| draw.tensor((n, 3, 2, 3)));
            let parameters = [weight.clone(), bias.clone()];
            same_steps(
                &gpu,
                &parameters,
                (&batches, &[]),
                rule,
                size,
                |tape, images, _| {
                    let x = brink_ops::channels_last(tape, images)?;
                    let window = Window::square(1, 1, 0);
                    Ok(brink_ops::conv2d(tape, &x, &weight, Some(&bias), false, window)?.into())
                },
            );
        }
    }
}
