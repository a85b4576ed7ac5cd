//! How far another execution of the same weights moves margins.

use serde::{Deserialize, Serialize};

/// Changes of the margins of a set's images, under another execution of the untouched model. A margin is the output of the reference label
/// minus the largest other output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Images.
    pub images: u64,
    /// The root of the mean square of the changes.
    pub rms: f64,
    /// The median of their sizes.
    pub median: f64,
    /// The largest of their sizes.
    pub largest: f64,
    /// The smallest margin of the untouched model.
    pub closest: f64,
}

impl Noise {
    /// The changes from the margins `before` to those `after`, one per image.
    ///
    /// # Panics
    /// If there are no images, or the numbers of margins differ.
    pub fn between(before: &[f32], after: &[f32]) -> Self {
        assert_eq!(before.len(), after.len(), "one margin per image");
        let pairs = before.iter().zip(after);
        let mut sizes: Vec<f64> = pairs
            .map(|(a, b)| (f64::from(*b) - f64::from(*a)).abs())
            .collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let n = sizes.len();
        let squares = sizes.iter().map(|size| size * size).sum::<f64>();
        Self {
            images: n as u64,
            rms: (squares / n as f64).sqrt(),
            median: f64::midpoint(sizes[(n - 1) / 2], sizes[n / 2]),
            largest: sizes[n - 1],
            closest: f64::from(before.iter().copied().fold(f32::INFINITY, f32::min)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_changes() {
        let noise = Noise::between(&[0.5, 1.0, 2.0, 0.25], &[1.0, 0.0, 2.0, 0.25]);
        assert_eq!((noise.images, noise.median, noise.largest), (4, 0.25, 1.0));
        assert_eq!((noise.rms, noise.closest), ((1.25f64 / 4.0).sqrt(), 0.25));
    }
}
