//! The fields of specifications that reports read. A field that is absent or of another type is `None`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// Of a target.
#[derive(Deserialize)]
pub struct TargetFields {
    /// The share of the architecture's channels; all if absent.
    pub width: Option<Number>,
}

/// Of a sample set.
#[derive(Deserialize)]
pub struct SetFields {
    /// The approach to the boundary, if the generator has one.
    pub stage1: Option<Stage1Fields>,
}

/// Of stage 1.
#[derive(Deserialize)]
pub struct Stage1Fields {
    /// The size of a step.
    pub lr: Option<f64>,
}

/// Of the boundary around a pair.
#[derive(Deserialize)]
pub struct SliceFields {
    /// One attack: its name, and its specification.
    pub attack: BTreeMap<String, Value>,
}

/// Of an attack.
#[derive(Deserialize)]
pub struct AttackFields {
    /// The learning rate of fine-tuning.
    pub lr: Option<f64>,
    /// The bits of quantisation.
    pub bits: Option<f64>,
    /// The share of weights that is pruned.
    pub rate: Option<f64>,
}

/// Of another execution.
#[derive(Deserialize)]
pub struct ExecutionFields {
    /// The arithmetic.
    pub arithmetic: String,
    /// How images travel.
    pub transport: String,
    /// The command of another engine.
    pub program: Option<String>,
}

/// Reads the fields of a specification.
pub fn read<T: DeserializeOwned>(spec: &Value) -> Option<T> {
    serde_json::from_value(spec.clone()).ok()
}
