//! How a gradient becomes a step of the pixels, a choice that the paper leaves open.

use brink_models::{Result, state::State};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelUpdate {
    /// Against the gradient, as released. A smaller gradient makes a smaller step.
    Sgd,
    /// Against its sign: every pixel with a gradient moves by `lr`.
    Sign,
    /// Adam with its authors' constants 0.9, 0.999 and 1e-8.
    Adam,
}

/// An update with its state.
pub(crate) struct PixelOptimizer {
    update: PixelUpdate,
    /// Adam's means of the gradient and of its square.
    moments: Option<[Tensor; 2]>,
}

impl PixelOptimizer {
    pub fn new(update: PixelUpdate) -> Self {
        Self {
            update,
            moments: None,
        }
    }

    /// The direction to subtract, times the step size, in iteration `iteration` (the first is 1).
    pub fn direction(&mut self, grad: Tensor, iteration: usize) -> Result<Tensor> {
        const DECAY: [f64; 2] = [0.9, 0.999];
        match self.update {
            PixelUpdate::Sgd => Ok(grad),
            PixelUpdate::Sign => Ok(grad.sign()?),
            PixelUpdate::Adam => {
                let [mean, square] = match self.moments.take() {
                    Some(moments) => moments,
                    None => [grad.zeros_like()?, grad.zeros_like()?],
                };
                let mean = ((mean * DECAY[0])? + (&grad * (1.0 - DECAY[0]))?)?;
                let square = ((square * DECAY[1])? + (grad.sqr()? * (1.0 - DECAY[1]))?)?;
                // Both means start at 0. Without this correction, the first steps would be too small.
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
        // A job that was saved before its first step has no moments.
        if self.update == PixelUpdate::Adam
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

    fn directions(update: PixelUpdate, grads: &[[f32; 2]]) -> Vec<Vec<f32>> {
        let mut optimizer = PixelOptimizer::new(update);
        let step = |(i, grad): (usize, &[f32; 2])| {
            let grad = Tensor::new(grad, &Device::Cpu).unwrap();
            optimizer.direction(grad, i + 1).unwrap().to_vec1().unwrap()
        };
        grads.iter().enumerate().map(step).collect()
    }

    #[test]
    fn adam_is_its_authors() {
        // By hand: m = (0.1 * 2 * 0.9 + 0.1 * -1) / (1 - 0.81), v = (0.001 * 4 * 0.999 + 0.001) / (1 - 0.998001).
        let got = directions(PixelUpdate::Adam, &[[2.0, -1e-3], [-1.0, -1e-3]]);
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
        let signs = directions(PixelUpdate::Sign, &grads);
        assert_eq!(signs, [[1.0, -1.0], [0.0, 1.0]]);
        let plain = directions(PixelUpdate::Sgd, &grads);
        assert_eq!(plain, grads);
    }
}
