//! DBI as in its own paper (Yin et al., arXiv 2305.09684): sign steps move training images to where all classes are equally likely. The
//! loss is the variance of the softmax, the labels are the network's classes, and there is no key.

use crate::descent::{Descent, Rule};
use crate::require::{require_images, require_pairs};
use crate::variance::variance;
use crate::{Context, Generated, Generator};
use brink_config::checked::{Count, Positive, Samples};
use brink_models::{Job, Network, Result};
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// DBI's own decision-boundary images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DbiOriginal {
    /// Number of samples.
    pub samples: Samples,
    /// The training images to start from.
    pub start: TrainingImages,
    /// Step size of each pixel.
    pub step: Positive,
    /// Iterations. There is no other stopping rule.
    pub iterations: Count,
}

/// The training images to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingImages {
    /// The first images, as in its authors' code: all sample sets are equal.
    First,
    /// Random images.
    Random,
}

impl Default for DbiOriginal {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            start: TrainingImages::First,
            step: Positive::literal(1e-4),
            iterations: Count::literal(8000),
        }
    }
}

impl Generator for DbiOriginal {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        let (samples, have) = (self.samples.get(), context.train.len());
        self.fits(have, context.held_out.len())?;
        let chosen: Vec<usize> = match self.start {
            TrainingImages::First => (0..samples).collect(),
            TrainingImages::Random => context.stream.split("train").choose(have, samples),
        };
        let pixels = context.train.images(&chosen);
        let rule = Signs {
            step: self.step.get(),
        };
        Ok(Box::new(Descent::new(
            context,
            "dbi-original",
            rule,
            (samples, pixels),
            self.iterations.get(),
        )?))
    }

    fn fits(&self, train: usize, _: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        require_images(self.samples.get(), train, "training")
    }

    fn is_random(&self, train: usize, _: usize) -> bool {
        self.start == TrainingImages::Random && self.samples.get() < train
    }
}

struct Signs {
    step: f64,
}

impl Rule for Signs {
    fn step(&mut self, target: &Network, x: &Tensor, _: usize) -> Result<(Tensor, f32)> {
        let recording = target.record(x, None)?;
        let logits = Var::from_tensor(&recording.logits())?;
        let variances = variance(&softmax(&logits)?)?;
        let loss = variances.mean_all()?.to_scalar()?;
        let grads = variances.sum_all()?.backward()?;
        let Some(grad) = grads.get(&logits) else {
            return Ok((x.clone(), loss));
        };
        let grad = recording.input_gradient(grad.clone(), 0.0)?;
        Ok((brink_ops::descend(x, &grad.sign()?, self.step)?, loss))
    }
}

/// The probabilities `(n, classes)` of logits `(n, classes)`.
fn softmax(logits: &Tensor) -> Result<Tensor> {
    let powers = logits
        .broadcast_sub(&logits.detach().max_keepdim(1)?)?
        .exp()?;
    Ok(powers.broadcast_div(&powers.sum_keepdim(1)?)?)
}
