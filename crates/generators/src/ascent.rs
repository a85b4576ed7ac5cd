//! Adam uphill on a score of a network's outputs, within a distance of the images that it started from. Each image stays where its score
//! was best, and the score may choose among the images.

use crate::Context;
use crate::best::Best;
use crate::descent::Rule;
use crate::pixel_optimizer::{PixelOptimizer, PixelUpdate};
use brink_models::{Network, Result, state::State};
use candle_core::{D, Device, Tensor};

/// What grows.
pub(crate) trait Score {
    /// The network whose outputs it reads; by default the target.
    fn network<'a>(&'a self, target: &'a Network) -> &'a Network {
        target
    }

    /// The score of an image with these outputs, and its gradient by them.
    fn of(&self, outputs: &[f32]) -> (f64, Vec<f64>);

    /// Which of the `points (n, c, h, w)` are kept; by default all.
    fn choose(&self, points: &Tensor) -> Result<Tensor> {
        Ok(points.clone())
    }
}

/// The rule that makes a score grow.
pub(crate) struct Ascent<S> {
    score: S,
    /// The images that it started from.
    center: Tensor,
    /// The largest L2 distance from them.
    radius: f64,
    lr: f64,
    optimizer: PixelOptimizer,
    best: Best,
}

impl<S: Score> Ascent<S> {
    /// Starts from the `pixels` of `samples` images of the shape of the context's.
    pub fn new(
        score: S,
        context: &Context<'_>,
        (samples, pixels): (usize, &[f32]),
        radius: f64,
        lr: f64,
    ) -> Result<Self> {
        let [c, h, w] = context.held_out.shape();
        let device = context.target.device();
        let center = Tensor::from_slice(pixels, (samples, c, h, w), &Device::Cpu)?;
        Ok(Self {
            score,
            center: center.to_device(device)?,
            radius,
            lr,
            optimizer: PixelOptimizer::new(PixelUpdate::Adam),
            best: Best::new(samples, [c, h, w], device)?,
        })
    }
}

impl<S: Score> Rule for Ascent<S> {
    fn step(&mut self, target: &Network, x: &Tensor, iteration: usize) -> Result<(Tensor, f32)> {
        let recording = self.score.network(target).record(x, None)?;
        let outputs: Vec<Vec<f32>> = recording.logits().to_device(&Device::Cpu)?.to_vec2()?;
        let (mut losses, mut grad) = (Vec::with_capacity(outputs.len()), Vec::new());
        for row in &outputs {
            let (score, slopes) = self.score.of(row);
            losses.push(-score);
            grad.extend(slopes.iter().map(|slope| -slope as f32));
        }
        self.best.keep(x, &losses)?;
        let shape = recording.logits().shape().clone();
        let grad = Tensor::from_vec(grad, shape, &Device::Cpu)?.to_device(x.device())?;
        let grad = recording.input_gradient(grad, 0.0)?;
        let direction = self.optimizer.direction(grad, iteration + 1)?;
        let next = (x - (direction * self.lr)?)?;
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        Ok((project(&next, &self.center, self.radius)?, mean as f32))
    }

    fn kept(&self, _: &Tensor) -> Result<Tensor> {
        self.score.choose(self.best.points())
    }

    fn save(&self, state: State) -> Result<State> {
        self.best.save(self.optimizer.save(state))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.optimizer.restore(state, self.center.device())?;
        self.best.restore(state)
    }
}

/// Each image of `x (n, c, h, w)` moved to within the L2 distance `radius` of the same image of `center`, and its pixels into [0, 1].
fn project(x: &Tensor, center: &Tensor, radius: f64) -> Result<Tensor> {
    let away = (x - center)?;
    let distance = away.sqr()?.flatten_from(1)?.sum(D::Minus1)?.sqrt()?;
    // Images inside keep their bits: a factor of 1 is exact.
    let factor = distance.maximum(radius)?.recip()?.affine(radius, 0.0)?;
    let inside = distance.le(radius)?;
    let factor = inside.where_cond(&factor.ones_like()?, &factor)?;
    let n = factor.dim(0)?;
    let away = away.broadcast_mul(&factor.reshape((n, 1, 1, 1))?)?;
    Ok((center + away)?.clamp(0.0, 1.0)?)
}

/// The probabilities of some logits.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|z| (f64::from(*z) - f64::from(largest)).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The gradient by the logits, from the gradient by the probabilities `p`.
pub(crate) fn through_softmax(p: &[f64], by_p: &[f64]) -> Vec<f64> {
    let mean: f64 = p.iter().zip(by_p).map(|(p, slope)| p * slope).sum();
    let pairs = p.iter().zip(by_p);
    pairs.map(|(p, slope)| p * (slope - mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn images_outside_are_moved_to_the_rim_and_into_range() {
        let images = |values: &[f32]| {
            Tensor::from_slice(values, (values.len() / 2, 1, 1, 2), &Device::Cpu).unwrap()
        };
        let center = images(&[0.5, 0.5, 0.5, 0.5, 0.9, 0.5]);
        let x = images(&[0.5, 0.6, 0.8, 0.9, 1.4, 0.5]);
        let found = project(&x, &center, 0.25).unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        let expected = [0.5, 0.6, 0.65, 0.7, 1.0, 0.5];
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{found:?}");
        }
    }
}
