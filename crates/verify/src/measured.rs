//! What probes measure about a target, as generators produce it and records hold it.

use serde::{Deserialize, Serialize};

use crate::oracle::LabelSpace;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Wall time of stage 1 (the paper's Table V). The generators take turns.
    Timing(Vec<Timing>),
    /// The dispersion of logits after iterations of stage 1 (the paper's section III-A).
    Dispersion(Vec<Dispersion>),
    /// The course of stage 1.
    Convergence(Vec<Progress>),
    /// The margin around a pair before and after an attack (the paper's figure 1).
    Slice(Slice),
}

/// The time of one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The name of the generator.
    pub generator: String,
    /// The variant of the generator, e.g. `coverage attached`; mostly empty.
    pub variant: String,
    /// Samples per iteration.
    pub samples: u64,
    /// Iterations per repetition.
    pub iterations: u64,
    /// Seconds of each repetition.
    pub seconds: Vec<f64>,
}

/// The outputs of all samples in one label space after stage 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispersion {
    /// Whose outputs stage 1 made equal: the network's own or the keyed head's two.
    pub label_space: LabelSpace,
    /// Number of outputs.
    pub outputs: u64,
    /// Iterations of stage 1.
    pub iterations: u64,
    /// The mean of each sample's outputs.
    pub means: Vec<f64>,
    /// The standard deviation of each sample's outputs (of the population).
    pub deviations: Vec<f64>,
}

/// Stage 1 at one iteration; means over the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The name of the generator.
    pub generator: String,
    /// Iterations done.
    pub iteration: u64,
    /// |margin| between the two largest outputs.
    pub margin: f64,
    /// Sum of |output|.
    pub outputs: f64,
    /// The loss of this iteration, before its step.
    pub loss: f64,
}

/// The keyed margin on a square of pixel space around the middle of a pair. One axis runs from one member to the other, the other axis
/// at a right angle to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Points per side.
    pub side: u64,
    /// From the middle to the rim, in pixel space (L2).
    pub reach: f64,
    /// Between the members, in pixel space (L2).
    pub gap: f64,
    /// The margins of the untouched model, row by row, from the bottom.
    pub before: Vec<f32>,
    /// The margins of the attacked model.
    pub after: Vec<f32>,
}
