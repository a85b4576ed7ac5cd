//! AID as in its authors' code (Aramoon et al., DAC 2021): edge points with equal logits and few negative units. It starts from uniform
//! noise, descends at three learning rates and keeps the best point. The labels are the network's classes.

use crate::best::Best;
use crate::descent::{Descent, Rule};
use crate::require::require_pairs;
use crate::{Context, Generated, Generator};
use brink_config::checked::{Count, NonNegative, Positive, Samples};
use brink_models::{Coverage, Job, Need, Network, Result, state::State};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// AID's own edge points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AidOriginal {
    /// Number of samples.
    pub samples: Samples,
    /// The weight of the activation term, the mean over the units of each hidden layer.
    pub coverage_weight: NonNegative,
    /// Learning rate of the first third of the iterations. The second third has half of it, the last a quarter.
    pub lr: Positive,
    /// Iterations.
    pub iterations: Count,
}

impl Default for AidOriginal {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            coverage_weight: NonNegative::literal(0.2),
            lr: Positive::literal(1e-4),
            iterations: Count::literal(15_000),
        }
    }
}

impl Generator for AidOriginal {
    fn needs(&self) -> Need {
        Need::LAYERS
    }

    fn fits(&self, _: usize, _: usize) -> Result<()> {
        require_pairs(self.samples.get())
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        let samples = self.samples.get();
        let noise = &mut context.stream.split("noise");
        let [c, h, w] = context.held_out.shape();
        let size = samples * c * h * w;
        let pixels: Vec<f32> = (0..size).map(|_| noise.uniform()).collect();
        let rule = Edge {
            settings: self.clone(),
            best: Best::new(samples, [c, h, w], context.target.device())?,
        };
        Ok(Box::new(Descent::new(
            context,
            "aid-original",
            rule,
            (samples, pixels),
            self.iterations.get(),
        )?))
    }
}

impl AidOriginal {
    /// The learning rate in iteration `iteration`; the first is 0.
    fn rate(&self, iteration: usize) -> f64 {
        let third = 3 * iteration / self.iterations.get();
        self.lr.get() / (1 << third) as f64
    }
}

struct Edge {
    settings: AidOriginal,
    best: Best,
}

impl Rule for Edge {
    fn step(&mut self, target: &Network, x: &Tensor, iteration: usize) -> Result<(Tensor, f32)> {
        let weight = self.settings.coverage_weight.get();
        let recording = target.record(x, Some(Coverage::Hidden))?;
        let logits: Vec<Vec<f32>> = recording.logits().to_device(&Device::Cpu)?.to_vec2()?;
        let covered = recording.coverage()?.unwrap_or_default();
        let (mut losses, mut grad) = (Vec::with_capacity(logits.len()), Vec::new());
        for (row, covered) in logits.iter().zip(covered) {
            let (loss, slopes) = spread(row);
            losses.push(loss + weight * covered);
            grad.extend(slopes);
        }
        self.best.keep(x, &losses)?;
        let shape = recording.logits().shape().clone();
        let grad = Tensor::from_vec(grad, shape, &Device::Cpu)?.to_device(x.device())?;
        let grad = recording.input_gradient(grad, weight)?;
        let lr = self.settings.rate(iteration);
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        Ok((brink_ops::descend(x, &grad, lr)?, mean as f32))
    }

    fn kept(&self, _: &Tensor) -> Result<Tensor> {
        Ok(self.best.points().clone())
    }

    fn save(&self, state: State) -> Result<State> {
        self.best.save(state)
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.best.restore(state)
    }
}

/// The squared distance of a sample's logits from the largest, `sum_c (max - z_c)^2`, and its gradient.
fn spread(logits: &[f32]) -> (f64, Vec<f32>) {
    let top = (0..logits.len()).fold(0, |a, b| if logits[b] > logits[a] { b } else { a });
    let behind: Vec<f64> = logits
        .iter()
        .map(|&z| f64::from(logits[top]) - f64::from(z))
        .collect();
    let mut slopes: Vec<f32> = behind.iter().map(|d| (-2.0 * d) as f32).collect();
    slopes[top] = (2.0 * behind.iter().sum::<f64>()) as f32;
    (behind.iter().map(|d| d * d).sum(), slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_is_halved_twice() {
        let aid = AidOriginal {
            lr: Positive::literal(8.0),
            iterations: Count::literal(300),
            ..AidOriginal::default()
        };
        let rates = [0, 99, 100, 199, 200, 299].map(|iteration| aid.rate(iteration));
        assert_eq!(rates, [8.0, 8.0, 4.0, 4.0, 2.0, 2.0]);
    }

    #[test]
    fn the_gradient_of_the_spread_is_its_slope() {
        let logits = [0.5f32, -1.25, 2.0, 1.5];
        let (_, slopes) = spread(&logits);
        for (i, slope) in slopes.iter().enumerate() {
            let moved = |by: f32| {
                let mut logits = logits;
                logits[i] += by;
                spread(&logits).0
            };
            let numeric = (moved(1.0 / 256.0) - moved(-1.0 / 256.0)) * 128.0;
            assert!(
                (numeric - f64::from(*slope)).abs() < 1e-4,
                "{i}: {numeric} {slope}"
            );
        }
    }
}
