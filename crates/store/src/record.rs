//! The records: everything a table or figure may say about a finished step, and how it came about.

use std::collections::BTreeMap;

use crate::checksum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spec::{Change, Id};
use verify::{Control, LabelSpace, Layout, Measured, Pixels, Rate, Stop};

/// The format of the records that this version writes; it reads this one and all before it. Records of format 1 have no checksum.
pub const FORMAT: u32 = 2;

/// Under which circumstances a step was computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of brink.
    pub brink: String,
    /// Commit of the source tree, if it was built in one, and whether sources had changed since.
    pub git: Option<String>,
    /// Versions of the crates that compute (`candle-core`, ...).
    pub crates: BTreeMap<String, String>,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Threads used.
    pub threads: usize,
    /// Model name of the processor.
    pub cpu: String,
    /// Beginning, RFC 3339 in UTC.
    pub started: String,
    /// Duration in seconds.
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
    /// Data set for people, e.g. `CIFAR-10 (JPEG q75)`.
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
    /// Seed of initial weights, data order and augmentation.
    pub seed: u64,
    /// Top-1 accuracy on the test images used.
    pub accuracy: Rate,
    /// Top-1 accuracy on the training images that were held out to choose settings by, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Rate>,
    /// Number of images trained on.
    pub train_images: u64,
    /// Epochs trained; 0 for loaded weights.
    pub epochs: f64,
    /// SHA-256 of the weights' file, in hexadecimal digits; records of before this field have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// What the images of the data set were; records of before this field do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// How it was computed.
    pub provenance: Provenance,
}

impl TargetRecord {
    /// SHA-256 of the target's weights and images together: what samples, attacks and measurements rest on. Records of format 1 have none.
    pub fn sum(&self) -> Option<String> {
        let (weights, content) = (self.weights_sha256.as_ref()?, self.content.as_ref()?);
        Some(target_sum(weights, &content.sha256))
    }
}

/// SHA-256 of a target's weights and images, given by those of either.
pub fn target_sum(weights: &str, content: &str) -> String {
    checksum::hex(&[weights.as_bytes(), content.as_bytes()])
}

/// What the images of a data set were, whatever their files are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of all labels and pixels, in hexadecimal digits.
    pub sha256: String,
    /// Whether they were shown to be the official ones, or of a packed set the documented ones.
    pub verified: bool,
    /// Number of images, of both parts.
    pub images: u64,
    /// How many of them are of a single colour; 0 where they are verified.
    pub blank: u64,
    /// How many of the others are equal to an earlier one; 0 where they are verified.
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
    /// The least share of noise images that the keyed head gives either label, if one was asked for; records of before this field do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_balance: Option<f64>,
    /// Seed of the starting points.
    pub seed: u64,
    /// Whose labels are compared: the keyed head's two or the model's own.
    pub label_space: LabelSpace,
    /// Single samples, or pairs across the boundary.
    pub layout: Layout,
    /// Samples asked for.
    pub asked: u64,
    /// Samples (or pairs) made.
    pub made: u64,
    /// Samples that never crossed the boundary in stage 2.
    pub uncrossed: u64,
    /// Most iterations that stage 1 may take.
    pub iterations_cap: u64,
    /// Iterations that it took.
    pub iterations_used: u64,
    /// Why it ended.
    pub stop: Stop,
    /// |margin| of each sample after stage 1.
    pub margins: Vec<f32>,
    /// Number of images of each reference label; a pair has two.
    pub label_balance: Vec<u64>,
    /// What the images are like; records of before this field have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
    /// False alarms: the untouched model asked again in other ways.
    pub controls: Vec<Control>,
    /// SHA-256 of the samples' file, in hexadecimal digits; records of format 1 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_sha256: Option<String>,
    /// What they were made of, see [`TargetRecord::sum`]; records of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

impl SetRecord {
    /// How many samples lay on the boundary at the end of stage 1: their two largest outputs were equal.
    pub fn on_the_boundary(&self) -> u64 {
        let margins = self.margins.iter();
        margins.filter(|margin| **margin == 0.0).count() as u64
    }
}

/// One attacked model, asked with one sample set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// The attacked target.
    pub target: Id,
    /// The samples that were asked.
    pub set: Id,
    /// Name of the generator that made them.
    pub generator: String,
    /// Name of the attack.
    pub attack: String,
    /// The attack's resolved specification, e.g. `{"lr": 1e-10}`.
    pub spec: Value,
    /// Seed of the attack.
    pub seed: u64,
    /// Images whose label changed; a pair has two.
    pub single: Rate,
    /// Pairs of which at least one member's label changed.
    pub pair: Rate,
    /// Pairs of which both did.
    pub both: u64,
    /// Of single samples the pair rate in expectation over all pairs of two of them, in `[0, 1]`. Sets of pairs have none: members of
    /// different pairs do not judge together. Older records have one all the same, which reports leave out.
    pub all_pairs: Option<f64>,
    /// Whether all labels after the attack are the same: then the single rate says how the reference labels were
    /// balanced, not how sensitive the samples are.
    pub same_label: bool,
    /// How far the weights moved.
    pub change: Change,
    /// Optimiser steps that the attack took.
    #[serde(default)]
    pub steps: u64,
    /// Whether what the attacker works for was reached, where there is such a thing: e.g. every trigger recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
    /// How often the model did what the attacker wants on images it had not seen, before the attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_before: Option<Rate>,
    /// The same after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_after: Option<Rate>,
    /// The same counts where the labels are the network's own classes rather than the keyed head's two; none where they are anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Answers>,
    /// Top-1 accuracy before the attack.
    pub accuracy_before: Rate,
    /// Top-1 accuracy after it.
    pub accuracy_after: Rate,
    /// What was attacked, see [`TargetRecord::sum`]; records of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// SHA-256 of the file of the samples that were asked; records of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

/// Counts of one way to look at the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Images whose label changed; a pair has two.
    pub single: Rate,
    /// Pairs of which at least one member's label changed.
    pub pair: Rate,
    /// Pairs of which both did.
    pub both: u64,
    /// Whether all labels are the same now; records of before this field say no.
    #[serde(default)]
    pub same_label: bool,
}

/// Something measured about a target itself, without an attack on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// [`FORMAT`] when written.
    pub format: u32,
    /// Hash of all that went into the step.
    pub id: Id,
    /// The target.
    pub target: Id,
    /// What was measured, e.g. `timing`.
    pub probe: String,
    /// The resolved specification.
    pub spec: Value,
    /// Seed of the starting points.
    pub seed: u64,
    /// What came out.
    pub result: Measured,
    /// What was measured, see [`TargetRecord::sum`]; records of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha256: Option<String>,
    /// How it was computed.
    pub provenance: Provenance,
}

/// What the kinds of record have in common.
pub trait Record: Serialize + DeserializeOwned {
    /// Folder under the root.
    const FOLDER: &'static str;
    /// Whether the record is a file of its own (`<id>.json`), or lies in a folder with what it describes.
    const ALONE: bool;
    /// The step's id.
    fn id(&self) -> &Id;
    /// The format it claims.
    fn format(&self) -> u32;
    /// Whether its numbers can all be true at once.
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
