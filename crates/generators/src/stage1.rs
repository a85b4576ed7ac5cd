//! The settings of stage 1 (the paper's section III-B, Eq. 6).

use crate::pixel_optimizer::PixelUpdate;
use crate::start::Start;
use brink_config::checked::{Count, NonNegative, Positive};
use serde::{Deserialize, Serialize};

/// The settings of stage 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage1 {
    /// The initial samples. The paper says random pixels; the released code draws them from a normal distribution.
    pub start: Start,
    /// How a gradient becomes a step. The released code uses plain descent.
    pub optimizer: PixelUpdate,
    /// The largest number of iterations.
    pub iterations: Count,
    /// Step size: the factor of the gradient with `sgd`, the step of each pixel in `[0, 1]` with the others.
    pub lr: Positive,
    /// How per-sample losses are combined. With `mean`, as released, each sample's step is divided by the number of samples. It has no
    /// effect with `sign`, which ignores the size of a gradient.
    pub reduction: Reduction,
    /// The number of iterations between two convergence checks.
    pub patience: Count,
    /// Stage 1 has converged if the mean |margin| and the loss changed by a smaller share than this over the last `patience` iterations.
    /// Slow progress counts as convergence, too. Terms without a gradient do not count. With 0, as released, all iterations are done.
    pub tolerance: NonNegative,
}

impl Default for Stage1 {
    fn default() -> Self {
        Self {
            start: Start::Normal,
            optimizer: PixelUpdate::Sgd,
            iterations: Count::literal(10_000),
            lr: Positive::literal(1e-3),
            reduction: Reduction::Mean,
            patience: Count::literal(200),
            tolerance: NonNegative::literal(1e-3),
        }
    }
}

/// How per-sample losses are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}
