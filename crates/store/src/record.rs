//! The records: everything that tables and figures need to know about a finished step, and how it was computed.

use std::collections::BTreeMap;

use crate::Id;
use crate::checksum;
use brink_config::Change;
use brink_verify::{Control, LabelSpace, Layout, Measured, Noise, Pixels, Rate, Stop};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format of the records that this version writes. It reads this format and all earlier ones. Records of format 1 have no
/// checksum.
pub const FORMAT: u32 = 2;

/// How, where and when a step was computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of brink.
    pub brink: String,
    /// The commit of the source tree, and whether sources had changed since; `None` if built outside a repository.
    pub git: Option<String>,
    /// The versions of the numerical crates (`candle-core`, ...).
    pub crates: BTreeMap<String, String>,
    /// The device: `cpu`, or e.g. `cuda:0 NVIDIA H200 (driver 580.95.05, CUDA 13.0)`.
    pub device: String,
    /// The number of threads.
    pub threads: usize,
    /// The model name of the processor.
    pub cpu: String,
    /// The start time, RFC 3339 in UTC.
    pub started: String,
    /// The duration in seconds.
    pub seconds: f64,
}

/// A trained (or loaded) target model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// Data set, e.g. `cifar10-jpeg`.
    pub dataset: String,
    /// Title of the data set, e.g. `CIFAR-10 (JPEG q75)`.
    pub dataset_title: String,
    /// Architecture, e.g. `resnet18`.
    pub model: String,
    /// Number of classes.
    pub classes: usize,
    /// Input shape `(c, h, w)`.
    pub input: [usize; 3],
    /// Number of trainable parameters.
    pub parameters: u64,
    /// The resolved specification.
    pub spec: Value,
    /// Seed of the initial weights, the data order and the augmentation.
    pub seed: u64,
    /// Top-1 accuracy on the test images used.
    pub accuracy: Rate,
    /// Top-1 accuracy on the held-out training images, which settings are chosen by; `None` if none were held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Rate>,
    /// Number of images trained on.
    pub train_images: u64,
    /// Epochs trained; 0 for loaded weights.
    pub epochs: f64,
    /// SHA-256 of the weights' file, in hexadecimal digits; `None` in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// The content of the data set; `None` in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// How it was computed.
    pub provenance: Provenance,
}

impl TargetRecord {
    /// SHA-256 over the checksums of the target's weights and images. Samples, attacks and measurements depend on both. `None` in
    /// records of format 1.
    pub fn sum(&self) -> Option<String> {
        let (weights, content) = (self.weights_sha256.as_ref()?, self.content.as_ref()?);
        Some(target_sum(weights, &content.sha256))
    }
}

/// SHA-256 over the checksum of a target's weights and the checksum of its images, both in hexadecimal digits.
pub fn target_sum(weights: &str, content: &str) -> String {
    checksum::hex(&[weights.as_bytes(), content.as_bytes()])
}

/// A summary of the images of a data set, whatever their files are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of all labels and pixels, in hexadecimal digits.
    pub sha256: String,
    /// Whether the content is verified to be the official one. For a packed set: the documented one.
    pub verified: bool,
    /// Number of images in both parts.
    pub images: u64,
    /// Number of images with a single colour; 0 (not counted) if verified.
    pub blank: u64,
    /// Number of other images that equal an earlier one; 0 (not counted) if verified.
    pub repeated: u64,
}

/// A set of sensitive samples made for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// The target that the samples watch.
    pub target: Id,
    /// Name of the generator.
    pub generator: String,
    /// The resolved specification.
    pub spec: Value,
    /// The smallest share of noise images that each label of the keyed head must get, in `[0, 0.5]`; `None` if no such share was
    /// requested, and in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_balance: Option<f64>,
    /// Seed of the starting points.
    pub seed: u64,
    /// Which labels are compared: the two of the keyed head, or the model's own classes.
    pub label_space: LabelSpace,
    /// Single samples, or pairs across the boundary.
    pub layout: Layout,
    /// Number of samples (or pairs) requested.
    pub asked: u64,
    /// Number of samples (or pairs) made.
    pub made: u64,
    /// Number of samples that never crossed the boundary in stage 2.
    pub uncrossed: u64,
    /// The limit on iterations of stage 1.
    pub iterations_cap: u64,
    /// Number of iterations of stage 1.
    pub iterations_used: u64,
    /// Why stage 1 ended.
    pub stop: Stop,
    /// |margin| of each sample after stage 1.
    pub margins: Vec<f32>,
    /// Images that the generator asked the target, if it only asks; absent in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Number of images of each reference label; a pair has two.
    pub label_balance: Vec<u64>,
    /// Statistics of the images; `None` in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
    /// False alarms: queries of the unchanged model in other ways.
    pub controls: Vec<Control>,
    /// SHA-256 of the samples' file, in hexadecimal digits; `None` in records of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_sha256: Option<String>,
    /// [`TargetRecord::sum`] of the target that they were made for; `None` in records of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

impl SetRecord {
    /// The number of samples on the boundary at the end of stage 1: their two largest outputs were equal.
    pub fn on_the_boundary(&self) -> u64 {
        let margins = self.margins.iter();
        margins.filter(|margin| **margin == 0.0).count() as u64
    }
}

/// One attacked model, queried with one sample set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// The attacked target.
    pub target: Id,
    /// The sample set of the queries.
    pub set: Id,
    /// Name of the generator that made the samples.
    pub generator: String,
    /// Name of the attack.
    pub attack: String,
    /// The attack's resolved specification, e.g. `{"lr": 1e-10}`.
    pub spec: Value,
    /// Seed of the attack.
    pub seed: u64,
    /// Images whose label changed; a pair has two images.
    pub single: Rate,
    /// Pairs in which at least one member's label changed.
    pub pair: Rate,
    /// Number of pairs in which both members' labels changed.
    pub both: u64,
    /// For single samples: the expected pair rate over all pairs of two samples, in `[0, 1]`. `None` for sets of pairs, because
    /// members of different pairs are not combined. Older records of pairs have a value; reports ignore it.
    pub all_pairs: Option<f64>,
    /// Whether all labels after the attack are the same. If so, the single rate shows the balance of the reference labels, not
    /// the sensitivity of the samples.
    pub same_label: bool,
    /// How far the weights moved.
    pub change: Change,
    /// Number of optimiser steps of the attack.
    #[serde(default)]
    pub steps: u64,
    /// Whether the attack reached its goal, e.g. every trigger is recognised; `None` for attacks without a goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
    /// The attack's success rate on unseen images before the attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_before: Option<Rate>,
    /// The attack's success rate on unseen images after the attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_after: Option<Rate>,
    /// The same counts with the network's own classes as labels; `None` if the set's labels are classes already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Answers>,
    /// The counts of the pairs that the attacker knew; `None` if none leaked. All other counts are of the other pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<Answers>,
    /// The changes of the margins, if the same weights were executed otherwise; `None` for attacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// The change of each image's margin, for attacks that compare how samples react; empty for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<f32>,
    /// Who answered, if another engine did, e.g. `PyTorch 2.15.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Top-1 accuracy before the attack.
    pub accuracy_before: Rate,
    /// Top-1 accuracy after the attack.
    pub accuracy_after: Rate,
    /// [`TargetRecord::sum`] of the attacked target; `None` in records of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// SHA-256 of the samples' file; `None` in records of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

/// Counts of changed labels in one label space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Images whose label changed; a pair has two images.
    pub single: Rate,
    /// Pairs in which at least one member's label changed.
    pub pair: Rate,
    /// Number of pairs in which both members' labels changed.
    pub both: u64,
    /// Whether all labels are the same now; false in records older than this field.
    #[serde(default)]
    pub same_label: bool,
}

/// A measurement of a target without an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// The target.
    pub target: Id,
    /// Name of the probe, e.g. `timing`.
    pub probe: String,
    /// The resolved specification.
    pub spec: Value,
    /// Seed of the starting points.
    pub seed: u64,
    /// The measurements.
    pub result: Measured,
    /// [`TargetRecord::sum`] of the measured target; `None` in records of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

/// The common interface of all records.
pub trait Record: Serialize + DeserializeOwned {
    /// The folder under the root.
    const FOLDER: &'static str;
    /// Whether the record is a single file (`<id>.json`), or lies in a folder with the weights or samples.
    const ALONE: bool;
    /// The step's id.
    fn id(&self) -> &Id;
    /// The format of the record.
    fn format(&self) -> u32;
    /// Checks that the numbers do not contradict each other.
    ///
    /// # Errors
    /// The first contradiction, with its values.
    fn check(&self) -> Result<(), String>;
}

macro_rules! record {
    ($($name:ident: $folder:literal, alone $alone:literal;)*) => {$(
        impl Record for $name {
            const FOLDER: &'static str = $folder;
            const ALONE: bool = $alone;
            fn id(&self) -> &Id {
                &self.id
            }
            fn format(&self) -> u32 {
                self.format
            }
            fn check(&self) -> Result<(), String> {
                self.consistent()
            }
        }
    )*};
}

record! {
    TargetRecord: "targets", alone false;
    SetRecord: "sets", alone false;
    RunRecord: "runs", alone true;
    ProbeRecord: "probes", alone true;
}
