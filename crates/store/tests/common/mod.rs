//! One record of each kind, and a temporary folder.

#![allow(dead_code)] // each test file uses only a part

use std::fs;
use std::path::Path;

use brink_store::Id;
use brink_store::{
    Change, Content, FORMAT, Measured, ProbeRecord, Provenance, RunRecord, SetRecord, Stop,
    TargetRecord, Timing,
};
use brink_verify::{Control, Difference, LabelSpace, Layout, Pixels, Rate};
use serde_json::json;
use tempfile::TempDir;

pub fn id(label: &str) -> Id {
    Id::of(&label).expect("text has an id")
}

/// What the saved states depend on.
pub const ON: &str = "the sum of a target";

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub fn target() -> TargetRecord {
    TargetRecord {
        format: FORMAT,
        id: id("target"),
        dataset: "fashion-mnist".into(),
        dataset_title: "Fashion-MNIST".into(),
        model: "resnet18".into(),
        classes: 10,
        input: [3, 32, 32],
        parameters: 11_181_642,
        spec: json!({"epochs": 3, "lr": 0.1}),
        seed: 1,
        accuracy: Rate::new(1_712, 2_000),
        validation: Some(Rate::new(812, 1_000)),
        train_images: 10_000,
        epochs: 3.0,
        weights_sha256: Some("1".repeat(64)),
        content: Some(Content {
            sha256: "2".repeat(64),
            verified: true,
            images: 12_000,
            blank: 0,
            repeated: 0,
        }),
        provenance: Provenance {
            started: "2026-01-02T03:04:05Z".into(),
            ..Provenance::default()
        },
    }
}

pub fn set() -> SetRecord {
    SetRecord {
        format: FORMAT,
        id: id("set"),
        target: id("target"),
        generator: "ours".into(),
        spec: json!({"alpha": 1e-6}),
        head_balance: Some(0.3),
        seed: 2,
        label_space: LabelSpace::Head,
        layout: Layout::Pairs,
        asked: 30,
        made: 29,
        uncrossed: 1,
        iterations_cap: 300,
        iterations_used: 300,
        stop: Stop::Cap,
        margins: vec![1.5e-6; 30],
        queries: None,
        label_balance: vec![30, 28],
        pixels: Some(Pixels {
            mean: 0.32,
            deviation: 0.39,
            pairs: Some(Difference {
                largest: 1e-6,
                share: 0.87,
            }),
        }),
        controls: vec![Control {
            name: "batches of 7".into(),
            single: Rate::new(0, 58),
            pair: Rate::new(0, 29),
            ..Control::default()
        }],
        samples_sha256: Some("0".repeat(64)),
        target_sha256: target().sum(),
        provenance: Provenance::default(),
    }
}

pub fn run() -> RunRecord {
    RunRecord {
        format: FORMAT,
        id: id("run"),
        target: id("target"),
        set: id("set"),
        generator: "ours".into(),
        attack: "finetune".into(),
        spec: json!({"lr": 1e-10}),
        seed: 3,
        single: Rate::new(15, 58),
        pair: Rate::new(15, 29),
        both: 0,
        all_pairs: Some(0.4512),
        same_label: false,
        change: Change {
            weights: 11_181_642,
            changed: 2_000,
            max_abs: 1e-10,
            mean_abs: 3.3e-14,
        },
        steps: 391,
        reached: Some(true),
        success_before: Some(Rate::new(3, 1_800)),
        success_after: Some(Rate::new(1_700, 1_800)),
        classes: None,
        leaked: None,
        noise: None,
        moves: Vec::new(),
        engine: None,
        accuracy_before: Rate::new(1_712, 2_000),
        accuracy_after: Rate::new(1_712, 2_000),
        target_sha256: target().sum(),
        samples_sha256: Some("0".repeat(64)),
        provenance: Provenance::default(),
    }
}

pub fn probe() -> ProbeRecord {
    ProbeRecord {
        format: FORMAT,
        id: id("probe"),
        target: id("target"),
        probe: "timing".into(),
        spec: json!({"iterations": 1000}),
        seed: 0,
        result: Measured::Timing(vec![Timing {
            generator: "aid".into(),
            variant: "coverage attached".into(),
            samples: 150,
            iterations: 1000,
            seconds: vec![80.25, 79.5],
        }]),
        target_sha256: target().sum(),
        provenance: Provenance::default(),
    }
}

/// A function that writes bytes in place of weights or samples.
pub fn bytes(content: &'static [u8]) -> impl FnOnce(&Path) -> Result<(), brink_store::BoxError> {
    move |path| Ok(fs::write(path, content)?)
}
