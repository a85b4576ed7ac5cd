//! Sensitive-Sample Fingerprinting (He, Zhang, Lee, CVPR 2019): natural images moved to where the outputs depend most on the weights of
//! the last layer. The labels are the network's classes, and there is no key.
//!
//! The sensitivity is the squared norm of the Jacobian of the softmax by the weights and biases of the classifier. For features h and
//! probabilities p it has a closed form, `(|h|^2 + 1) * sum_ij p_i^2 (delta_ij - p_j)^2`, so its gradient needs no second derivative.
//!
//! With `candidates`, the samples are chosen by Maximum Active-Neuron Cover. As in the authors' code, its units are the features. There a
//! unit is active above 0. Averages over a map are nearly always above 0, so here it is active above its mean over all candidates.

use crate::ascent::{Ascent, Score, softmax, through_softmax};
use crate::cover;
use crate::descent::Descent;
use crate::require::{require_images, require_pairs};
use crate::{Context, Generated, Generator};
use brink_config::checked::{Count, Positive, Samples};
use brink_models::{Classifier, Error, Job, Network, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Images with a large sensitivity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensitiveSamples {
    /// Number of samples.
    pub samples: Samples,
    /// The largest root mean square change of a pixel, for pixels in [0, 1]. The default is 10 of 255 levels.
    pub change: Positive,
    /// Adam's step size.
    pub lr: Positive,
    /// Iterations.
    pub iterations: Count,
    /// Images to move for each sample. Those are kept that together activate the most features (MANC). By default every image is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Count>,
}

impl SensitiveSamples {
    /// Images to move.
    fn images(&self) -> usize {
        let each = self.candidates.map_or(1, Count::get);
        self.samples.get().saturating_mul(each)
    }
}

impl Default for SensitiveSamples {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            change: Positive::literal(10.0 / 255.0),
            lr: Positive::literal(1e-3),
            iterations: Count::literal(1000),
            candidates: None,
        }
    }
}

impl Generator for SensitiveSamples {
    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        require_images(self.samples.get(), held_out, "held-out")?;
        match self.candidates {
            Some(candidates) if self.images() > held_out => Err(Error::DoesNotFit {
                field: "candidates",
                problem: format!(
                    "{} samples of {candidates} candidates each need {} images, but there are {held_out} held-out images; lower `candidates`",
                    self.samples,
                    self.images()
                ),
            }),
            _ => Ok(()),
        }
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.images() < held_out
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        let (images, have) = (self.images(), context.held_out.len());
        self.fits(context.train.len(), have)?;
        let chosen = context.stream.split("held-out").choose(have, images);
        let pixels = context.held_out.images(&chosen);
        let score = Sensitivity {
            classifier: Classifier::of(context.target, context.weights, context.normalize)?,
            samples: self.samples.get(),
        };
        let each = (pixels.len() / images) as f64;
        let (radius, lr) = (self.change.get() * each.sqrt(), self.lr.get());
        let rule = Ascent::new(score, &context, (images, &pixels), radius, lr)?;
        Ok(Box::new(Descent::new(
            context,
            "sensitive-samples",
            rule,
            (images, pixels),
            self.iterations.get(),
        )?))
    }
}

/// The sensitivity to the weights of a classifier.
struct Sensitivity {
    classifier: Classifier,
    /// The number of samples to choose.
    samples: usize,
}

impl Score for Sensitivity {
    fn network<'a>(&'a self, _: &'a Network) -> &'a Network {
        &self.classifier.features
    }

    fn of(&self, outputs: &[f32]) -> (f64, Vec<f64>) {
        sensitivity(outputs, &self.classifier)
    }

    fn choose(&self, points: &Tensor) -> Result<Tensor> {
        if points.dim(0)? == self.samples {
            return Ok(points.clone());
        }
        let features = self.classifier.features.logits(points)?;
        let features: Vec<Vec<f32>> = features.to_device(&Device::Cpu)?.to_vec2()?;
        let chosen = cover::choose(&active(&features), self.samples);
        let chosen: Vec<u32> = chosen.into_iter().map(|place| place as u32).collect();
        let chosen = Tensor::new(chosen, points.device())?;
        Ok(points.index_select(&chosen, 0)?)
    }
}

/// Which features of each image are above their mean over all images.
fn active(features: &[Vec<f32>]) -> Vec<Vec<bool>> {
    let width = features.first().map_or(0, Vec::len);
    let mean = |unit: usize| {
        let sum: f64 = features.iter().map(|image| f64::from(image[unit])).sum();
        sum / features.len() as f64
    };
    let means: Vec<f64> = (0..width).map(mean).collect();
    let of = |image: &Vec<f32>| {
        let units = image.iter().zip(&means);
        units.map(|(h, mean)| f64::from(*h) > *mean).collect()
    };
    features.iter().map(of).collect()
}

/// The sensitivity of an image with `features`, and its gradient by them.
fn sensitivity(features: &[f32], classifier: &Classifier) -> (f64, Vec<f64>) {
    let p = softmax(&classifier.logits(features));
    let size: f64 = features.iter().map(|h| f64::from(*h).powi(2)).sum::<f64>() + 1.0;
    let power = |n: i32| p.iter().map(|p| p.powi(n)).sum::<f64>();
    let squares = power(2);
    // sum_ij p_i^2 (delta_ij - p_j)^2, with the sum over j done.
    let spread = squares - 2.0 * power(3) + squares * squares;
    let by_p: Vec<f64> = p
        .iter()
        .map(|p| size * (2.0 * p - 6.0 * p * p + 4.0 * squares * p))
        .collect();
    let by_logits = through_softmax(&p, &by_p);
    let mut slopes: Vec<f64> = features
        .iter()
        .map(|h| 2.0 * f64::from(*h) * spread)
        .collect();
    for (row, slope) in classifier.rows().zip(by_logits) {
        for (total, weight) in slopes.iter_mut().zip(row) {
            *total += slope * f64::from(*weight);
        }
    }
    (size * spread, slopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_models::{Model, Weights};
    use brink_random::Stream;

    /// The classifier of a ResNet-20 with fresh weights.
    fn classifier() -> Classifier {
        let model: Model = "resnet20".parse().unwrap();
        let weights = Weights::draw(model, 10, &Stream::new(1)).unwrap();
        let network = Network::frozen(model, 10, &weights, None).unwrap();
        Classifier::of(&network, &weights, None).unwrap()
    }

    fn features() -> Vec<f32> {
        let mut stream = Stream::new(2);
        (0..64).map(|_| stream.normal().abs()).collect()
    }

    #[test]
    fn a_feature_is_active_above_its_mean() {
        let found = active(&[vec![1.0, 0.0], vec![2.0, 0.0], vec![6.0, 0.0]]);
        assert_eq!(found, [[false, false], [false, false], [true, false]]);
    }

    /// The definition: the squared norm of the Jacobian of the softmax by each weight and bias, by finite differences.
    #[test]
    fn the_closed_form_is_the_norm_of_the_jacobian() {
        let (classifier, h) = (classifier(), features());
        let p = softmax(&classifier.logits(&h));
        let (found, _) = sensitivity(&h, &classifier);
        let mut norm = 0.0;
        for i in 0..10 {
            for j in 0..10 {
                let derivative = p[i] * (f64::from(u8::from(i == j)) - p[j]);
                // By the weights of row j the logit j has the slopes h, by its bias the slope 1.
                let slopes = h.iter().map(|h| f64::from(*h)).chain([1.0]);
                norm += slopes
                    .map(|slope| (derivative * slope).powi(2))
                    .sum::<f64>();
            }
        }
        assert!((found / norm - 1.0).abs() < 1e-9, "{found} {norm}");
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let (classifier, h) = (classifier(), features());
        let (_, slopes) = sensitivity(&h, &classifier);
        for i in [0, 7, 63] {
            let moved = |by: f32| {
                let mut h = h.clone();
                h[i] += by;
                sensitivity(&h, &classifier).0
            };
            let numeric = (moved(1.0 / 64.0) - moved(-1.0 / 64.0)) * 32.0;
            let slope = slopes[i];
            assert!(
                (numeric - slope).abs() < 1e-3 * slope.abs().max(1e-2),
                "{numeric} {slope}"
            );
        }
    }
}
