//! What the images of a set are like, in numbers.

use serde::{Deserialize, Serialize};

use crate::{Layout, SensitiveSet};

/// Statistics of the pixels of a set, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pixels {
    /// The mean of all.
    pub mean: f64,
    /// Their standard deviation, of all as the whole population.
    pub deviation: f64,
    /// In what the members of pairs differ, if it has pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Difference>,
}

/// In what the two members of pairs differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The largest absolute difference of a pixel.
    pub largest: f64,
    /// The share of pixels that differ at all.
    pub share: f64,
}

impl Pixels {
    /// Those of `set`.
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
