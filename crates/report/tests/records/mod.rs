//! Records as a small grid would leave them, with the shapes that matter: a target of the paper's family, one outside of
//! it, rates that are label balance, a control row, a seed that disagrees.

use std::collections::BTreeMap;

use report::Records;
use serde_json::{Value, json};
use spec::Id;
use store::{Change, FORMAT, Provenance, RunRecord, SetRecord, Stop, TargetRecord};
use verify::{Control, LabelSpace, Layout, Rate};

pub const LRS: [f64; 7] = [0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5];

pub fn id(parts: impl serde::Serialize) -> Id {
    Id::of(&parts).expect("an id")
}

/// Fashion-MNIST with ResNet18.
pub fn fashion() -> TargetRecord {
    TargetRecord {
        format: FORMAT,
        id: id("fashion-mnist resnet18"),
        dataset: "fashion-mnist".into(),
        dataset_title: "Fashion-MNIST".into(),
        model: "resnet18".into(),
        classes: 10,
        input: [3, 32, 32],
        parameters: 11_181_642,
        spec: json!({"init": "random", "epochs": 4}),
        seed: 0,
        accuracy: Rate::new(1_712, 2_000),
        train_images: 10_000,
        epochs: 4.0,
        provenance: Provenance::default(),
    }
}

/// CIFAR-10 after JPEG, with a network of the data set's own.
pub fn cifar(model: &str) -> TargetRecord {
    TargetRecord {
        id: id(("cifar10-jpeg", model)),
        dataset: "cifar10-jpeg".into(),
        dataset_title: "CIFAR-10 (JPEG q75)".into(),
        model: model.into(),
        accuracy: Rate::new(1_621, 2_000),
        ..fashion()
    }
}

/// The samples of one generator, and their runs: hits of 30 pairs for each learning rate and seed.
pub fn asked(
    target: &TargetRecord,
    generator: &str,
    spec: Value,
    pairs: [[u64; 3]; 7],
) -> (SetRecord, Vec<RunRecord>) {
    let own = generator == "ours";
    let samples = if own { 60 } else { 30 };
    let control = |name: &str| Control {
        name: name.into(),
        single: Rate::new(0, samples),
        pair: Rate::new(0, 30),
    };
    let set = SetRecord {
        format: FORMAT,
        id: id((target.id, generator, &spec)),
        target: target.id,
        generator: generator.into(),
        spec,
        seed: 7,
        label_space: LabelSpace::Head,
        layout: if own { Layout::Pairs } else { Layout::Singles },
        asked: 30,
        made: if own { 29 } else { 30 },
        uncrossed: u64::from(own),
        iterations_cap: if generator == "validset" { 0 } else { 300 },
        iterations_used: if generator == "validset" { 0 } else { 300 },
        stop: if generator == "validset" {
            Stop::None
        } else {
            Stop::Cap
        },
        margins: vec![1.1e-6, 3.2e-6, 8.0e-6, 1.7e-6],
        label_balance: vec![11, 19],
        controls: vec![
            control("batches of 1"),
            control("batches of 7"),
            control("one batch, reversed"),
        ],
        provenance: Provenance::default(),
    };
    let mut runs = Vec::new();
    for (lr, hits) in LRS.into_iter().zip(pairs) {
        for (seed, hits) in (0..).zip(hits) {
            let spec =
                json!({"lr": lr, "optimiser": "adam", "bn": "eval", "epochs": 1, "seed": seed});
            let single = if own { hits } else { hits * 2 / 3 };
            runs.push(RunRecord {
                format: FORMAT,
                id: id((set.id, lr.to_bits(), seed)),
                target: target.id,
                set: set.id,
                generator: generator.into(),
                attack: "finetune".into(),
                spec,
                seed,
                single: Rate::new(single, samples),
                pair: Rate::new(hits, 30),
                both: 0,
                all_pairs: hits as f64 / 30.0,
                same_label: lr >= 1e-7 && generator != "validset",
                change: Change {
                    weights: 11_181_642,
                    changed: (11_181_642.0 * (lr * 1e9).clamp(0.0, 1.0)) as u64,
                    max_abs: 2.5 * lr,
                    mean_abs: 0.8 * lr,
                },
                accuracy_before: target.accuracy,
                accuracy_after: Rate::new(
                    target.accuracy.hits() - u64::from(lr > 1e-6),
                    target.accuracy.of(),
                ),
                provenance: Provenance::default(),
            });
        }
    }
    (set, runs)
}

/// All four generators on these targets.
pub fn grid(targets: &[TargetRecord]) -> Records {
    let mut records = Records {
        targets: targets.to_vec(),
        ..Records::default()
    };
    let rates: BTreeMap<_, [[u64; 3]; 7]> = BTreeMap::from([
        (
            "validset",
            [
                [0; 3],
                [0; 3],
                [0; 3],
                [0, 0, 1],
                [0, 0, 1],
                [0, 1, 1],
                [1, 2, 2],
            ],
        ),
        (
            "dbi",
            [
                [0; 3],
                [9, 11, 10],
                [12, 13, 12],
                [16, 17, 15],
                [19; 3],
                [19; 3],
                [19; 3],
            ],
        ),
        (
            "aid",
            [
                [0; 3],
                [7, 9, 8],
                [11, 12, 10],
                [16, 16, 15],
                [18; 3],
                [18; 3],
                [18; 3],
            ],
        ),
        (
            "ours",
            [
                [0; 3],
                [0, 1, 0],
                [4, 6, 5],
                [21, 24, 22],
                [30; 3],
                [30; 3],
                [30; 3],
            ],
        ),
    ]);
    for target in targets {
        for (generator, hits) in &rates {
            let (set, runs) = asked(target, generator, json!({"pairs": 30}), *hits);
            records.sets.push(set);
            records.runs.extend(runs);
        }
    }
    records
}
