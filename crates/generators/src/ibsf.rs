//! IBSF (ICML 2024): training images moved to where several classes are about equally likely. The rule is that of its authors' code; the
//! labels are the network's classes, and there is no key.

use crate::ascent::{Ascent, Score, softmax, through_softmax};
use crate::descent::Descent;
use crate::require::{require_images, require_pairs};
use crate::{Context, Generated, Generator};
use brink_config::checked::{Count, Positive, Samples};
use brink_models::{Job, Result};
use serde::{Deserialize, Serialize};

/// Points where several classes meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ibsf {
    /// Number of samples.
    pub samples: Samples,
    /// The number of most likely classes whose entropy grows, at most all of the network's.
    pub classes: Count,
    /// The largest L2 distance from the training image, for pixels in [0, 1].
    pub radius: Positive,
    /// Adam's step size.
    pub lr: Positive,
    /// Iterations.
    pub iterations: Count,
}

impl Default for Ibsf {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            classes: Count::literal(2),
            radius: Positive::literal(1.0),
            lr: Positive::literal(1.0),
            iterations: Count::literal(5000),
        }
    }
}

impl Generator for Ibsf {
    fn fits(&self, train: usize, _: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        require_images(self.samples.get(), train, "training")
    }

    fn is_random(&self, train: usize, _: usize) -> bool {
        self.samples.get() < train
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        let (samples, have) = (self.samples.get(), context.train.len());
        self.fits(have, context.held_out.len())?;
        let chosen = context.stream.split("train").choose(have, samples);
        let pixels = context.train.images(&chosen);
        let score = Meeting(self.classes.get());
        let (radius, lr) = (self.radius.get(), self.lr.get());
        let rule = Ascent::new(score, &context, (samples, &pixels), radius, lr)?;
        Ok(Box::new(Descent::new(
            context,
            "ibsf",
            rule,
            (samples, pixels),
            self.iterations.get(),
        )?))
    }
}

/// The entropy of this number of most likely classes.
struct Meeting(usize);

impl Score for Meeting {
    fn of(&self, outputs: &[f32]) -> (f64, Vec<f64>) {
        entropy(outputs, self.0)
    }
}

/// The part of the `top` most likely classes in the entropy of the softmax, `-sum p log p`, and its gradient by the logits.
fn entropy(logits: &[f32], top: usize) -> (f64, Vec<f64>) {
    let p = softmax(logits);
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut slope_by_p = vec![0.0; p.len()];
    let mut entropy = 0.0;
    for &i in order.iter().take(top) {
        // A probability that underflows adds nothing.
        let log = p[i].max(f64::MIN_POSITIVE).ln();
        entropy -= p[i] * log;
        slope_by_p[i] = -log - 1.0;
    }
    (entropy, through_softmax(&p, &slope_by_p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entropy_is_largest_where_the_classes_meet() {
        let (two, _) = entropy(&[3.0, 3.0, -40.0], 2);
        assert!((two - 2f64.ln()).abs() < 1e-12, "{two}");
        let (apart, _) = entropy(&[3.0, 2.0, -40.0], 2);
        assert!(apart < two);
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let logits = [0.5f32, -1.25, 2.0, 1.5];
        for top in [2, 4] {
            let (_, slopes) = entropy(&logits, top);
            for (i, slope) in slopes.iter().enumerate() {
                let moved = |by: f32| {
                    let mut logits = logits;
                    logits[i] += by;
                    entropy(&logits, top).0
                };
                let numeric = (moved(1.0 / 512.0) - moved(-1.0 / 512.0)) * 256.0;
                assert!((numeric - slope).abs() < 1e-5, "{i}: {numeric} {slope}");
            }
        }
    }
}
