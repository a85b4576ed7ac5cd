//! Quantisation for a deployment with small integers (the paper's 8 bits). It is fake quantisation: f32 values on few, evenly spaced
//! levels. Biases and batch normalisation are not quantised.

use crate::layers::map_layers;
use crate::{Attack, Modified, Victim};
use brink_config::checked::{Bits, Count};
use brink_models::{Activations, Job, Levels, Need, Range, Result, calibrate, once};
use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// Quantisation of convolutions and linear layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quantize {
    /// Bits per value, from 2 to 16.
    pub bits: Bits,
    /// Which weights share their levels.
    pub granularity: Granularity,
    /// The levels of the weights. Activations, which are rarely negative, have affine levels.
    pub scheme: Scheme,
    /// What is quantised.
    pub what: What,
    /// The number of training images that measure the ranges of the activations, at most all. It does not affect weights.
    pub calibration_images: Count,
}

/// Which weights share their levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// All of a layer.
    Tensor,
    /// Those of an output channel.
    Channel,
}

/// The position of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// As many below 0 as above, up to the largest magnitude.
    Symmetric,
    /// From the smallest value to the largest.
    Affine,
}

/// What is quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The weights.
    Weights,
    /// The weights, and the output of every layer with its fused operations.
    WeightsAndActivations,
}

impl Default for Quantize {
    fn default() -> Self {
        Self {
            bits: Bits::literal(8),
            granularity: Granularity::Tensor,
            scheme: Scheme::Symmetric,
            what: What::Weights,
            calibration_images: Count::literal(256),
        }
    }
}

impl Attack for Quantize {
    fn needs(&self) -> Need {
        match self.what {
            What::Weights => Need::ANSWERS,
            What::WeightsAndActivations => Need::LAYERS.of("what", "write `what: weights`"),
        }
    }

    /// The ranges of all images do not depend on their order.
    fn is_random(&self, train: usize) -> bool {
        self.what == What::WeightsAndActivations && self.calibration_images.get() < train
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let (settings, stream) = (self.clone(), stream.clone());
        Ok(once(move || settings.quantized(&victim, stream)))
    }
}

impl Quantize {
    fn quantized(&self, victim: &Victim<'_>, stream: Stream) -> Result<Modified> {
        let weights = map_layers(victim.weights, |_, values, channels| {
            let group = match self.granularity {
                Granularity::Tensor => values.len(),
                Granularity::Channel => values.len() / channels,
            };
            for group in values.chunks_mut(group) {
                let range = Range::of(group);
                let levels = match self.scheme {
                    Scheme::Symmetric => Levels::symmetric(self.bits, range),
                    Scheme::Affine => Levels::affine(self.bits, range),
                };
                levels.round(group);
            }
        })?;
        let activations = match self.what {
            What::Weights => None,
            What::WeightsAndActivations => Some(self.activations(victim, stream)?),
        };
        Ok(Modified {
            activations,
            ..weights.into()
        })
    }

    /// Levels for the activations of the unmodified network, as with PyTorch's observers.
    fn activations(&self, victim: &Victim<'_>, stream: Stream) -> Result<Activations> {
        let images = victim.train.len();
        let some = self.calibration_images.get().min(images);
        let chosen = stream.split("calibration").choose(images, some);
        let ranges = calibrate(&victim.with(victim.weights)?, victim.train, &chosen)?;
        Ok(Activations::affine(self.bits, &ranges))
    }
}
