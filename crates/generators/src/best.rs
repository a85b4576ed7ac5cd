//! Each sample where its loss was smallest.

use brink_models::{Result, state::State};
use candle_core::{DType, Device, Tensor};

/// The best images so far.
pub(crate) struct Best {
    /// The smallest loss of each sample.
    losses: Vec<f64>,
    /// Each sample at its smallest loss.
    points: Tensor,
}

impl Best {
    /// No images yet, for `samples` images of `shape`, `(c, h, w)`. A restored state is moved to `device`.
    pub fn new(samples: usize, [c, h, w]: [usize; 3], device: &Device) -> Result<Self> {
        Ok(Self {
            losses: vec![f64::INFINITY; samples],
            points: Tensor::zeros((samples, c, h, w), DType::F32, device)?,
        })
    }

    /// Keeps the samples of `x` that improved.
    pub fn keep(&mut self, x: &Tensor, losses: &[f64]) -> Result<()> {
        let pairs = losses.iter().zip(&self.losses);
        let better: Vec<bool> = pairs.map(|(a, b)| a < b).collect();
        if better.iter().all(|better| *better) {
            self.points = x.clone();
        } else if better.iter().any(|better| *better) {
            let flags: Vec<u8> = better.iter().map(|better| u8::from(*better)).collect();
            let chosen = Tensor::from_vec(flags, (better.len(), 1, 1, 1), x.device())?
                .broadcast_as(x.shape())?;
            self.points = chosen.where_cond(x, &self.points)?;
        }
        for (best, &loss) in self.losses.iter_mut().zip(losses) {
            *best = best.min(loss);
        }
        Ok(())
    }

    /// The images.
    pub fn points(&self) -> &Tensor {
        &self.points
    }

    pub fn save(&self, state: State) -> Result<State> {
        let best = Tensor::new(self.losses.as_slice(), &Device::Cpu)?;
        Ok(state.tensor("best", &best).tensor("points", &self.points))
    }

    pub fn restore(&mut self, state: &State) -> Result<()> {
        self.losses = state.take("best")?.to_vec1()?;
        self.points = state.take("points")?.to_device(self.points.device())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_kept_where_it_was_best() {
        let images = |value: f32| Tensor::full(value, (2, 1, 1, 1), &Device::Cpu).unwrap();
        let mut best = Best::new(2, [1, 1, 1], &Device::Cpu).unwrap();
        for (x, losses, kept) in [
            (0.1, [3.0, 3.0], [0.1, 0.1]),
            (0.2, [1.0, 4.0], [0.2, 0.1]),
            (0.3, [2.0, 2.0], [0.2, 0.3]),
            (0.4, [5.0, 5.0], [0.2, 0.3]),
        ] {
            best.keep(&images(x), &losses).unwrap();
            let points = best.points().flatten_all().unwrap();
            assert_eq!(points.to_vec1::<f32>().unwrap(), kept);
        }
    }
}
