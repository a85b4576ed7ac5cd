//! A test network in training, with every kind of step and both update rules, for [`crate::check`].

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::self_check::{Draw, EPS, IMAGES, SIZE, recorded, same, values};
use crate::trainer::Trainer;
use brink_ops::{AdamStep, BatchNorm, BatchStatistics, SgdStep, Tape, Update, Window};
use candle_core::{Device, Result as Computed, Shape, Tensor, Var};
use std::sync::Arc;

/// Steps of each rule: the second one uses the moments.
const STEPS: usize = 2;

/// Compares the GPU's bits with the CPU's after each step: logits, statistics, parameters and moments.
///
/// # Errors
/// [`Error::OtherBits`] if one differs; or if the GPU fails.
pub(crate) fn check(gpu: &Arc<Gpu>) -> Result<()> {
    for rule in [sgd, adam] {
        let mut draw = Draw(11);
        let network = Network::new(&mut draw)?;
        let moments = network.parameters.iter().map(|var| {
            let zeros = || Var::zeros(var.shape(), var.dtype(), &Device::Cpu);
            Ok([zeros()?, zeros()?])
        });
        let moments = moments.collect::<Computed<Vec<_>>>()?;
        let images = draw.tensor((IMAGES, 3, SIZE, SIZE), 1.0)?;

        let first = images.narrow(0, 0, 1)?.contiguous()?;
        let mask = network.mask.narrow(0, 0, 1)?.contiguous()?;
        let (tape, (logits, _)) = recorded(&first, |tape, x| network.forward(tape, x, &mask))?;
        let parameters: Vec<&Tensor> = network.parameters.iter().map(Var::as_tensor).collect();
        let trace = tape.trace(&first, &parameters, &[&logits])?;
        let trace = trace.ok_or(Error::TooLarge {
            what: "the test network",
        })?;
        let all = network.parameters.iter().zip(&moments);
        let all = all.map(|(var, [a, b])| [var, a, b].into_iter().map(|v| values(v)).collect());
        let trainer = Trainer::new(gpu, trace, all)?;

        for step in 0..STEPS {
            let update = rule(step);
            let (tape, (logits, statistics)) =
                recorded(&images, |tape, x| network.forward(tape, x, &network.mask))?;
            let batch = trainer.record(&values(&images)?, IMAGES, &[values(&network.mask)?])?;
            same("outputs in training", &values(&logits)?, batch.logits())?;
            same(
                "statistics",
                &narrow(&statistics),
                &narrow(batch.statistics()),
            )?;
            let grad = draw.tensor(logits.shape().clone(), 1.0)?;
            let grads = tape.backward([(&logits, grad.clone())])?;
            for (var, [a, b]) in network.parameters.iter().zip(&moments) {
                if let Some(grad) = grads.get(var) {
                    match update {
                        Update::Sgd(step) => brink_ops::sgd(var, Some(a), grad, step)?,
                        Update::Adam(step) => brink_ops::adam(var, a, b, grad, step)?,
                    }
                }
            }
            trainer.update(&batch, values(&grad)?, update)?;
            for (at, (var, [a, b])) in network.parameters.iter().zip(&moments).enumerate() {
                let found = trainer.parameter(at)?;
                for (var, found) in [var, a, b].into_iter().zip(&found) {
                    same("parameters", &values(var)?, found)?;
                }
            }
        }
    }
    Ok(())
}

fn sgd(step: usize) -> Update {
    Update::Sgd(SgdStep {
        lr: 0.03,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.01,
        first: step == 0,
    })
}

fn adam(step: usize) -> Update {
    Update::Adam(AdamStep {
        lr: 0.03,
        betas: (0.9, 0.999),
        eps: 1e-8,
        weight_decay: 0.01,
        step: step as u64 + 1,
    })
}

/// The halves of all f64 statistics, as numbers whose bits tell them apart.
fn narrow(statistics: &[BatchStatistics]) -> Vec<f32> {
    let all = statistics
        .iter()
        .flat_map(|s| s.mean.iter().chain(&s.variance));
    let halves = all.flat_map(|x| [x.to_bits() as u32, (x.to_bits() >> 32) as u32]);
    halves.map(f32::from_bits).collect()
}

/// Weight and bias, or gamma and beta.
type Pair = [Var; 2];

/// The network.
struct Network {
    parameters: Vec<Var>,
    stem: Pair,
    stem_norm: Pair,
    wide: Pair,
    wide_norm: Pair,
    running: [Tensor; 2],
    depthwise: Var,
    few: Pair,
    many: Pair,
    pooled: Pair,
    mask: Tensor,
    last: Pair,
}

impl Network {
    fn new(draw: &mut Draw) -> Computed<Self> {
        let mut parameters = Vec::new();
        let mut pair = |draw: &mut Draw, shape: Shape, around: f64| {
            let second = shape.dims()[0];
            let pair = [
                Var::from_tensor(&(draw.tensor(shape, 0.3)? + around)?)?,
                Var::from_tensor(&draw.tensor(second, 0.5)?)?,
            ];
            parameters.extend(pair.iter().cloned());
            Ok::<_, candle_core::Error>(pair)
        };
        let stem = pair(draw, (20, 3, 3, 3).into(), 0.0)?;
        let stem_norm = pair(draw, 20.into(), 1.0)?;
        let wide = pair(draw, (36, 20, 3, 3).into(), 0.0)?;
        let wide_norm = pair(draw, 36.into(), 1.0)?;
        let few = pair(draw, (3, 36, 1, 1).into(), 0.0)?;
        let many = pair(draw, (70, 3, 3, 3).into(), 0.0)?;
        let pooled = pair(draw, (33, 70 * 49).into(), 0.0)?;
        let last = pair(draw, (10, 33).into(), 0.0)?;
        let depthwise = Var::from_tensor(&draw.tensor((36, 1, 3, 3), 0.5)?)?;
        parameters.push(depthwise.clone());
        // A third of the units is dropped.
        let kept = draw.tensor((IMAGES, 33), 1.5)?.ge(-0.5f32)?;
        Ok(Self {
            parameters,
            stem,
            stem_norm,
            wide,
            wide_norm,
            running: [draw.tensor(36, 0.5)?, (draw.tensor(36, 0.5)? + 1.0)?],
            depthwise,
            few,
            many,
            pooled,
            mask: (kept.to_dtype(candle_core::DType::F32)? * 1.5)?,
            last,
        })
    }

    /// Logits, and the statistics of the batch.
    fn forward(
        &self,
        tape: &mut Tape,
        images: &Tensor,
        mask: &Tensor,
    ) -> Computed<(Tensor, Vec<BatchStatistics>)> {
        let norm = |[gamma, beta]: &Pair, residual| {
            let (gamma, beta) = (gamma.as_tensor().clone(), beta.as_tensor().clone());
            move |tape: &mut Tape, x: &Tensor, running: Option<&[Tensor; 2]>| {
                let layer = BatchNorm {
                    gamma: &gamma,
                    beta: &beta,
                    eps: EPS,
                    residual,
                    relu: true,
                };
                match running {
                    Some([mean, variance]) => Ok((layer.eval(tape, x, mean, variance)?, None)),
                    None => layer.train(tape, x).map(|(y, batch)| (y, Some(batch))),
                }
            }
        };
        let square = Window::square;
        let conv = |tape: &mut Tape, x: &Tensor, [weight, bias]: &Pair, relu, window| {
            brink_ops::conv2d(tape, x, weight, Some(bias), relu, window)
        };
        let x = brink_ops::channels_last(tape, images)?;
        let x = conv(tape, &x, &self.stem, false, square(3, 1, 1))?;
        let (x, first) = norm(&self.stem_norm, None)(tape, &x, None)?;
        let x = brink_ops::max_pool2d(tape, &x, square(3, 2, 1))?;
        let y = conv(tape, &x, &self.wide, false, square(3, 2, 1))?;
        let (y, _) = norm(&self.wide_norm, None)(tape, &y, Some(&self.running))?;
        let x = brink_ops::option_a_shortcut(tape, &x, 2, 16)?;
        let y = brink_ops::depthwise_conv2d(tape, &y, &self.depthwise, square(3, 1, 1))?;
        // The same vectors a second time, now with a residual: their gradients are added.
        let (y, second) = norm(&self.wide_norm, Some(&x))(tape, &y, None)?;
        let x = brink_ops::relu6(tape, &y)?;
        let x = conv(tape, &x, &self.few, true, square(1, 1, 0))?;
        let x = conv(tape, &x, &self.many, true, square(3, 1, 1))?;
        let x = brink_ops::adaptive_avg_pool2d(tape, &x, (1, 2))?;
        let [weight, bias] = &self.pooled;
        let x = brink_ops::pooled_linear(tape, &x, weight, bias, (7, 7), true)?;
        let x = brink_ops::dropout(tape, &x, mask)?;
        let [weight, bias] = &self.last;
        let logits = brink_ops::linear(tape, &x, weight, bias, false)?;
        Ok((logits, first.into_iter().chain(second).collect()))
    }
}
