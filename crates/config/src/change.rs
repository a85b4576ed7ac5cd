//! The effect of an attack on weights, as attacks measure it and records hold it.

use serde::{Deserialize, Serialize};

/// The difference between two sets of weights, with buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Number of weights.
    pub weights: u64,
    /// Weights whose 32 bits differ.
    pub changed: u64,
    /// Largest absolute change.
    pub max_abs: f64,
    /// Mean absolute change over all weights.
    pub mean_abs: f64,
}
