//! The initial samples of stage 1, a choice that the paper leaves open.

use crate::Context;
use crate::require::require_images;
use brink_models::Result;
use brink_random::Stream;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The initial samples of stage 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Independent standard normal pixels, as released. Half of them are below 0 and a sixth above 1 until the first step clamps them.
    Normal,
    /// Independent pixels, uniform in `[0, 1)`.
    Uniform,
    /// Random held-out images.
    Natural,
}

impl Start {
    /// Whether two sets of `samples` samples differ, with `held_out` held-out images. All held-out images are the same set in any order.
    pub(crate) fn is_random(self, samples: usize, held_out: usize) -> bool {
        match self {
            Self::Natural => samples < held_out,
            Self::Normal | Self::Uniform => true,
        }
    }

    /// Checks that `held_out` images are enough for `samples` samples.
    ///
    /// # Errors
    /// If they are too few.
    pub(crate) fn fits(self, samples: usize, held_out: usize) -> Result<()> {
        match self {
            Self::Natural => require_images(samples, held_out, "held-out"),
            Self::Normal | Self::Uniform => Ok(()),
        }
    }

    /// `samples` images `(samples, c, h, w)`.
    ///
    /// # Errors
    /// If there are fewer held-out images than `samples`.
    pub(crate) fn images(self, samples: usize, context: &Context<'_>) -> Result<Tensor> {
        let [c, h, w] = context.held_out.shape();
        let count = samples * c * h * w;
        let pixels = match self {
            Self::Normal | Self::Uniform => self.noise(count, &context.stream),
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

    /// `count` pixels of noise: normal ones for [`Start::Normal`], else uniform ones.
    pub(crate) fn noise(self, count: usize, stream: &Stream) -> Vec<f32> {
        let noise = &mut stream.split("noise");
        let pixel = match self {
            Self::Normal => Stream::normal,
            Self::Uniform | Self::Natural => Stream::uniform,
        };
        (0..count).map(|_| pixel(noise)).collect()
    }
}
