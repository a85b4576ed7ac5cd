//! What samples start from, and how a gradient becomes a step of their pixels: choices that the paper leaves open.

use crate::Context;
use candle_core::{Device, Tensor};
use models::{Error, Result, state::State};
use serde::{Deserialize, Serialize};
use verify::Images;

/// What samples start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Independent standard normal pixels, as released: half of them are below 0 and a sixth above 1 until the first step clamps them.
    Normal,
    /// Independent pixels, uniform in `[0, 1)`.
    Uniform,
    /// Random held-out images.
    Natural,
}

/// Whether `asked` images can be had of `have`, which are `what`.
///
/// # Errors
/// If not.
pub(crate) fn enough(generator: &'static str, asked: usize, have: usize, what: &str) -> Result<()> {
    if asked <= have {
        return Ok(());
    }
    Err(Error::CannotCreate {
        what: generator,
        problem: format!("{asked} images asked for, {have} {what}; lower `samples`"),
    })
}

/// Whether single samples can be paired at random, as the protocol asks.
///
/// # Errors
/// If there are not two.
pub fn pairable(generator: &'static str, samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    Err(Error::CannotCreate {
        what: generator,
        problem: "a single sample has none to be paired with; raise `samples` to 2".to_owned(),
    })
}

/// `x (n, c, h, w)` as the images of a set of `generator`.
///
/// # Errors
/// If a pixel is not in [0, 1].
pub(crate) fn images(generator: &'static str, x: &Tensor) -> Result<Images> {
    let (_, c, h, w) = x.dims4()?;
    let pixels = x.flatten_all()?.to_vec1()?;
    Images::new([c, h, w], pixels).map_err(|e| Error::CannotCreate {
        what: generator,
        problem: e.to_string(),
    })
}

impl Start {
    /// Whether two sets of so many samples differ, with so many images held out: all of them are the same set in any order.
    pub(crate) fn is_random(self, samples: usize, held_out: usize) -> bool {
        match self {
            Self::Natural => samples < held_out,
            Self::Normal | Self::Uniform => true,
        }
    }

    /// Whether so many samples can begin, with so many images held out.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn fits(self, samples: usize, held_out: usize) -> Result<()> {
        match self {
            Self::Natural => enough("stage 1", samples, held_out, "held out to start from"),
            Self::Normal | Self::Uniform => Ok(()),
        }
    }

    /// `samples` images `(samples, c, h, w)`.
    ///
    /// # Errors
    /// If fewer images are held out than `samples`.
    pub(crate) fn images(self, samples: usize, context: &Context<'_>) -> Result<Tensor> {
        let [c, h, w] = context.held_out.shape();
        let count = samples * c * h * w;
        let noise = || context.stream.split("noise");
        let pixels: Vec<f32> = match self {
            Self::Normal => {
                let noise = &mut noise();
                (0..count).map(|_| noise.normal()).collect()
            }
            Self::Uniform => {
                let noise = &mut noise();
                (0..count).map(|_| noise.uniform()).collect()
            }
            Self::Natural => {
                let have = context.held_out.len();
                self.fits(samples, have)?;
                let chosen = context.stream.split("held-out").choose(have, samples);
                context.held_out.images(&chosen)
            }
        };
        let images = Tensor::from_vec(pixels, (samples, c, h, w), &Device::Cpu)?;
        Ok(images.to_device(context.target.device())?)
    }
}

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelOptimizer {
    /// Against the gradient, as released: the smaller it is, the smaller the step.
    Sgd,
    /// Against its sign: every pixel that has a gradient moves by `lr`.
    Sign,
    /// Adam with its authors' constants 0.9, 0.999 and 1e-8.
    Adam,
}

/// An optimizer and what it remembers.
pub(crate) struct Mover {
    optimizer: PixelOptimizer,
    /// Adam's means of the gradient and of its square.
    moments: Option<[Tensor; 2]>,
}

impl Mover {
    pub fn new(optimizer: PixelOptimizer) -> Self {
        Self {
            optimizer,
            moments: None,
        }
    }

    /// What is to be subtracted, times the step size, in iteration `iteration` (the first is 1).
    pub fn direction(&mut self, grad: Tensor, iteration: usize) -> Result<Tensor> {
        const DECAY: [f64; 2] = [0.9, 0.999];
        match self.optimizer {
            PixelOptimizer::Sgd => Ok(grad),
            PixelOptimizer::Sign => Ok(grad.sign()?),
            PixelOptimizer::Adam => {
                let [mean, square] = match self.moments.take() {
                    Some(moments) => moments,
                    None => [grad.zeros_like()?, grad.zeros_like()?],
                };
                let mean = ((mean * DECAY[0])? + (&grad * (1.0 - DECAY[0]))?)?;
                let square = ((square * DECAY[1])? + (grad.sqr()? * (1.0 - DECAY[1]))?)?;
                // Both began at 0: without this, the first steps would be too small.
                let [m, v] = DECAY.map(|decay| 1.0 - decay.powf(iteration as f64));
                let direction = ((&mean / m)? / ((&square / v)?.sqrt()? + 1e-8)?)?;
                self.moments = Some([mean, square]);
                Ok(direction)
            }
        }
    }

    pub fn save(&self, state: State) -> State {
        match &self.moments {
            Some([mean, square]) => state.tensor("mean", mean).tensor("square", square),
            None => state,
        }
    }

    pub fn restore(&mut self, state: &State, device: &Device) -> Result<()> {
        // A job may be saved before its first step, when there is nothing yet to remember.
        if self.optimizer == PixelOptimizer::Adam
            && let Ok(mean) = state.take("mean")
        {
            let square = state.take("square")?;
            self.moments = Some([mean.to_device(device)?, square.to_device(device)?]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions(optimizer: PixelOptimizer, grads: &[[f32; 2]]) -> Vec<Vec<f32>> {
        let mut mover = Mover::new(optimizer);
        let step = |(i, grad): (usize, &[f32; 2])| {
            let grad = Tensor::new(grad, &Device::Cpu).unwrap();
            mover.direction(grad, i + 1).unwrap().to_vec1().unwrap()
        };
        grads.iter().enumerate().map(step).collect()
    }

    #[test]
    fn adam_is_its_authors() {
        // By hand: m = (0.1 * 2 * 0.9 + 0.1 * -1) / (1 - 0.81), v = (0.001 * 4 * 0.999 + 0.001) / (1 - 0.998001).
        let got = directions(PixelOptimizer::Adam, &[[2.0, -1e-3], [-1.0, -1e-3]]);
        let second = (0.08 / 0.19) / (0.004996f64 / 0.001999).sqrt();
        let expected = [[1.0, -1.0], [second, -1.0]];
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            assert!(
                (f64::from(*got) - expected).abs() < 2e-5,
                "{got} {expected}"
            );
        }
    }

    #[test]
    fn signs_are_of_size_one_and_plain_descent_is_the_gradient() {
        let grads = [[2.0, -1e-9], [0.0, 3.0]];
        let signs = directions(PixelOptimizer::Sign, &grads);
        assert_eq!(signs, [[1.0, -1.0], [0.0, 1.0]]);
        let plain = directions(PixelOptimizer::Sgd, &grads);
        assert_eq!(plain, grads);
    }
}
