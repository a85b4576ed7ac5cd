//! Input normalisation in grid files.

use brink_config::checked::Positive;
use brink_models::Normalize;
use serde::{Deserialize, Serialize};

/// `(x - mean) / std` per channel, before the first layer.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Normalization {
    /// ImageNet's constants. Many published networks use them on other data sets, too.
    Imagenet,
    /// Custom constants.
    Custom {
        /// Mean of each channel, for pixels in `[0, 1]`.
        mean: [f64; 3],
        /// Standard deviation of each channel, for pixels in `[0, 1]`.
        std: [Positive; 3],
    },
}

impl From<Normalization> for Normalize {
    fn from(normalization: Normalization) -> Self {
        match normalization {
            Normalization::Imagenet => Self::IMAGENET,
            Normalization::Custom { mean, std } => Self {
                mean,
                std: std.map(Positive::get),
            },
        }
    }
}
