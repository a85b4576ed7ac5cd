//! Random held-out images, the paper's `Validset` column: the choice of a tester without a method.

use crate::require::{require_images, require_pairs};
use crate::{Context, Generated, Generator};
use brink_config::checked::Samples;
use brink_models::{Job, Need, Result, once};
use brink_verify::LabelSpace;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Random held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validset {
    /// Number of images.
    pub samples: Samples,
    /// The model's own classes, or the keyed head's two labels.
    pub label_space: LabelSpace,
}

impl Default for Validset {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            label_space: LabelSpace::Classes,
        }
    }
}

impl Generator for Validset {
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        let (samples, space) = (self.samples.get(), self.label_space);
        Ok(once(move || {
            let held_out = context.held_out;
            let stream = &mut context.stream.split("held-out");
            let chosen = stream.choose(held_out.len(), samples);
            let [c, h, w] = held_out.shape();
            let pixels = held_out.images(&chosen);
            let x = Tensor::from_vec(pixels, (samples, c, h, w), &Device::Cpu)?
                .to_device(context.target.device())?;
            Generated::singles("validset", &context, space, &x)
        }))
    }

    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        require_images(self.samples.get(), held_out, "held-out")
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.samples.get() < held_out
    }
}
