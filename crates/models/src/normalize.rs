//! Input normalisation.

use serde::{Deserialize, Serialize};

/// Input normalisation `(x - mean) / std` per channel, as part of the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Mean per channel, for pixels in `[0, 1]`.
    pub mean: [f64; 3],
    /// Standard deviation per channel.
    pub std: [f64; 3],
}

impl Normalize {
    /// The constants of ImageNet. Many published networks use them, whatever their data set is.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
}
