//! Statistics of the images of a set.

use serde::{Deserialize, Serialize};

use crate::set::{Layout, SensitiveSet};

/// Statistics of the pixels of a set, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pixels {
    /// The mean of all pixels.
    pub mean: f64,
    /// The standard deviation of all pixels, as the whole population.
    pub deviation: f64,
    /// The difference between the members of pairs, if the set has pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Difference>,
}

/// The difference between the two members of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The largest absolute difference of a pixel.
    pub largest: f64,
    /// The share of pixels that differ.
    pub share: f64,
}

impl Pixels {
    /// The statistics of `set`.
    pub fn of(set: &SensitiveSet) -> Self {
        let pixels = set.images.data();
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let squares = pixels.iter().map(|&x| (f64::from(x) - mean).powi(2));
        Self {
            mean,
            deviation: (squares.sum::<f64>() / n).sqrt(),
            pairs: (set.layout == Layout::Pairs).then(|| Difference::of(set)),
        }
    }
}

impl Difference {
    fn of(set: &SensitiveSet) -> Self {
        let (mut largest, mut changed, mut of) = (0.0f64, 0u64, 0u64);
        for pair in 0..set.samples() {
            let member = |which| set.images.image(2 * pair + which);
            for (&a, &b) in member(0).iter().zip(member(1)) {
                largest = largest.max((f64::from(a) - f64::from(b)).abs());
                changed += u64::from(a != b);
                of += 1;
            }
        }
        Self {
            largest,
            share: changed as f64 / of as f64,
        }
    }
}
