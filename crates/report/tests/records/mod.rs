//! Records as a small grid would leave them, with the shapes that matter: a target of the paper's family, one outside of
//! it, rates that are label balance, a control row, a seed that disagrees.

use std::collections::{BTreeMap, BTreeSet};

use brink_report::Records;
use brink_store::Id;
use brink_store::{
    Answers, Change, Dispersion, FORMAT, Measured, ProbeRecord, Progress, Provenance, RunRecord,
    SetRecord, Stop, TargetRecord, Timing,
};
use brink_verify::{Control, LabelSpace, Layout, Rate};
use serde_json::{Value, json};

pub const LRS: [f64; 7] = [0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5];

pub fn id(parts: impl serde::Serialize) -> Id {
    Id::of(&parts).expect("an id")
}

/// The generators that the paper compares.
pub fn compared() -> BTreeSet<&'static str> {
    BTreeSet::from(["validset", "dbi", "aid", "ours"])
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
        validation: None,
        train_images: 10_000,
        epochs: 4.0,
        weights_sha256: None,
        content: None,
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
        ..Control::default()
    };
    let set = SetRecord {
        format: FORMAT,
        id: id((target.id, generator, &spec)),
        target: target.id,
        generator: generator.into(),
        spec,
        head_balance: None,
        seed: 7,
        label_space: LabelSpace::Head,
        layout: if own { Layout::Pairs } else { Layout::Singles },
        asked: 30,
        made: if own { 29 } else { 30 },
        uncrossed: u64::from(own),
        pixels: None,
        iterations_cap: if generator == "validset" { 0 } else { 300 },
        iterations_used: if generator == "validset" { 0 } else { 300 },
        stop: if generator == "validset" {
            Stop::None
        } else {
            Stop::Cap
        },
        margins: vec![1.1e-6, 3.2e-6, 8.0e-6, 1.7e-6],
        queries: None,
        label_balance: vec![11, 19],
        controls: vec![
            control("batches of 1"),
            control("batches of 7"),
            control("one batch, reversed"),
        ],
        samples_sha256: None,
        target_sha256: None,
        provenance: Provenance::default(),
    };
    let mut runs = Vec::new();
    for (lr, hits) in LRS.into_iter().zip(pairs) {
        for (seed, hits) in (0..).zip(hits) {
            let spec = json!({"lr": lr, "optimizer": "adam", "batch_norm": "eval", "epochs": 1, "seed": seed});
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
                all_pairs: Some(hits as f64 / 30.0),
                same_label: lr >= 1e-7 && generator != "validset",
                change: Change {
                    weights: 11_181_642,
                    changed: (11_181_642.0 * (lr * 1e9).clamp(0.0, 1.0)) as u64,
                    max_abs: 2.5 * lr * (1.0 - 0.1 * seed as f64),
                    mean_abs: 0.8 * lr,
                },
                steps: 391,
                reached: None,
                success_before: None,
                success_after: None,
                classes: None,
                leaked: None,
                noise: None,
                moves: Vec::new(),
                engine: None,
                target_sha256: None,
                samples_sha256: None,
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

/// The titles that the registry of networks has.
pub fn networks() -> BTreeMap<String, &'static str> {
    let titles = ["ResNet18", "ResNet20", "ResNet152", "VGG16"];
    titles.map(|title| (title.to_lowercase(), title)).into()
}

/// The titles that the registry of generators has.
pub fn generators() -> BTreeMap<&'static str, &'static str> {
    [
        ("validset", "Validset"),
        ("dbi", "DBI"),
        ("aid", "AID"),
        ("ours", "Ours"),
        ("aid-original", "AID original"),
        ("dbi-original", "DBI original"),
    ]
    .into()
}

/// All four generators on these targets.
pub fn grid(targets: &[TargetRecord]) -> Records {
    let mut records = Records {
        targets: targets.to_vec(),
        networks: networks(),
        asked: compared(),
        generators: generators(),
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

/// One run a seed of another attack, asked of the samples that `records` has: hits of 30 pairs.
pub fn attacked(records: &mut Records, attack: &str, spec: &Value, hits: [u64; 3]) {
    let mut more = Vec::new();
    for set in &records.sets {
        let template = records.runs.iter().find(|run| run.set == set.id);
        let template = template.expect("the samples were asked").clone();
        for (seed, hits) in (0..).zip(hits) {
            let hits = match set.generator.as_str() {
                "validset" => 0,
                "dbi" => hits * 2 / 3,
                "aid" => hits / 2,
                _ => hits,
            };
            let single = if set.layout == Layout::Pairs {
                hits
            } else {
                hits * 2 / 3
            };
            more.push(RunRecord {
                id: id((set.id, attack, spec, seed)),
                attack: attack.into(),
                spec: spec.clone(),
                seed,
                single: Rate::new(single, template.single.of()),
                pair: Rate::new(hits, 30),
                all_pairs: Some(hits as f64 / 30.0),
                same_label: false,
                change: Change {
                    // Identity changes nothing; a backdoor depends on its seed, the others do not.
                    changed: if attack == "identity" { 0 } else { 11_000_000 },
                    max_abs: if attack == "backdoor" {
                        1e-3 + seed as f64 * 1e-5
                    } else {
                        1e-3
                    },
                    ..template.change
                },
                steps: 0,
                ..template.clone()
            });
        }
    }
    records.runs.extend(more);
}

/// A grid with something for every report.
pub fn everything() -> Records {
    let targets = [fashion(), cifar("resnet18")];
    let mut records = grid(&targets);
    attacked(&mut records, "identity", &json!({}), [0; 3]);
    for (rate, hits) in [
        (0.001, [3, 5, 4]),
        (0.01, [22, 25, 21]),
        (0.1, [30, 29, 30]),
    ] {
        attacked(
            &mut records,
            "prune",
            &json!({"rate": rate, "scope": "global", "criterion": "magnitude"}),
            hits,
        );
    }
    for (bits, granularity, hits) in [
        (8, "tensor", [29, 30, 30]),
        (8, "channel", [25, 24, 27]),
        (4, "tensor", [30; 3]),
    ] {
        let spec = json!({"bits": bits, "granularity": granularity, "scheme": "symmetric", "what": "weights"});
        attacked(&mut records, "quantize", &spec, hits);
    }
    let backdoor = json!({"poisoned": 10, "target": 0, "lr": 1e-5, "optimizer": "adam", "trigger": {"size": 3}});
    attacked(&mut records, "backdoor", &backdoor, [30, 30, 29]);
    for run in &mut records.runs {
        if run.attack == "backdoor" {
            run.steps = 120 + run.seed;
            run.reached = Some(run.seed != 2);
            run.success_before = Some(Rate::new(200, 2_000));
            run.success_after = Some(Rate::new(1_900, 2_000));
        }
        if run.attack == "quantize" && run.generator != "validset" {
            run.classes = Some(Answers {
                single: Rate::new(run.seed, run.single.of()),
                pair: Rate::new(run.seed + 1, 30),
                both: run.seed,
                same_label: run.seed == 2,
            });
        }
    }
    for target in &targets {
        records.probes.extend(probes(target));
    }
    records
}

/// Something of each kind that is measured about a target itself.
fn probes(target: &TargetRecord) -> Vec<ProbeRecord> {
    let probe = |name: &str, spec: Value, result| ProbeRecord {
        format: FORMAT,
        id: id((target.id, name, &spec)),
        target: target.id,
        probe: name.into(),
        spec,
        seed: 0,
        result,
        target_sha256: None,
        provenance: Provenance {
            device: "cpu".into(),
            cpu: "A Processor".into(),
            threads: 2,
            ..Provenance::default()
        },
    };
    let timing = |samples: u64, generator: &str, variant: &str, seconds: [f64; 3]| Timing {
        generator: generator.into(),
        variant: variant.into(),
        samples,
        iterations: 20,
        seconds: seconds.to_vec(),
    };
    // The grid's list of numbers of samples stands for one probe a number.
    let timings = [150, 300].map(|samples| {
        let unit = samples as f64 / 150.0;
        let timings = vec![
            timing(samples, "dbi", "", [2.0, 2.1, 2.2].map(|s| s * unit)),
            timing(samples, "aid", "", [2.02, 2.08, 2.23].map(|s| s * unit)),
            timing(
                samples,
                "aid",
                "coverage attached",
                [3.5, 3.6, 3.9].map(|s| s * unit),
            ),
            timing(samples, "ours", "", [2.0, 2.12, 2.18].map(|s| s * unit)),
        ];
        let spec = json!({ "samples": samples });
        probe("timing", spec, Measured::Timing(timings))
    });
    let dispersion = |label_space, outputs| Dispersion {
        label_space,
        outputs,
        iterations: 1_000,
        means: vec![-0.5, 1.0, 2.0, -4.0],
        deviations: vec![0.05, 0.09, 0.1, 0.2],
    };
    let progress = ["dbi", "ours"].into_iter().flat_map(|generator| {
        [0, 1, 10, 100, 1_000].map(|iteration| Progress {
            generator: generator.into(),
            iteration,
            margin: 0.3 / (1.0 + iteration as f64).powf(1.2),
            outputs: if generator == "ours" {
                3.0 + (iteration as f64).sqrt()
            } else {
                3.0
            },
            loss: 4.0 / (1.0 + iteration as f64),
        })
    });
    let others = [
        probe(
            "dispersion",
            json!({}),
            Measured::Dispersion(vec![
                dispersion(LabelSpace::Classes, target.classes as u64),
                dispersion(LabelSpace::Head, 2),
            ]),
        ),
        probe(
            "convergence",
            json!({}),
            Measured::Convergence(progress.collect()),
        ),
    ];
    timings.into_iter().chain(others).collect()
}
