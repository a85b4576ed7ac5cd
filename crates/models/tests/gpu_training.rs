//! Training on the stand-in for a GPU: the bits of the CPU after every step, for every network, mode and update rule; what is saved there goes
//! on here; and what has no form there.

mod common;
#[path = "../../cuda/tests/common/mod.rs"]
mod fake;

use std::sync::Arc;

use brink_cuda::{Gpu, Memory};
use brink_models::optim::Rule;
use brink_models::{BatchNormMode, Error, Learner, Model, Normalize, REGISTRY, Trainable};
use brink_random::Stream;
use candle_core::{DType, Var};
use common::CLASSES;

fn gpu(memory: Memory) -> Option<Arc<Gpu>> {
    Some(Gpu::open_with(&fake::library()?, 0, memory).unwrap())
}

const RULES: [Rule; 4] = [
    Rule::Adam { weight_decay: 0.0 },
    Rule::Sgd {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
    },
    Rule::Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    },
    Rule::Adam { weight_decay: 1e-3 },
];

const MODES: [BatchNormMode; 2] = [BatchNormMode::Eval, BatchNormMode::Train];

fn learner(model: Model, rule: Rule, dtype: DType) -> Learner {
    let weights = common::weights(model, CLASSES, dtype);
    let normalize = Some(Normalize::IMAGENET);
    let network = Trainable::new(model, CLASSES, &weights, normalize).unwrap();
    let learner = Learner::new(network, rule, 1000).unwrap();
    learner.with_dropout(Stream::new(3).split("dropout"))
}

/// A step on the first images of the formula.
fn step(learner: &mut Learner, [n, h, w]: [usize; 3], mode: BatchNormMode) -> Result<(), Error> {
    let images = common::images([n, 3, h, w], DType::F32);
    let pixels = images.flatten_all().unwrap().to_vec1().unwrap();
    let labels = common::labels(n, CLASSES).to_vec1().unwrap();
    learner.step((pixels, [3, h, w]), labels, mode, 1e-5)
}

fn values(var: &Var) -> Vec<f32> {
    var.flatten_all().unwrap().to_vec1().unwrap()
}

fn narrow(name: &str) -> Model {
    common::model(name).with_width(0.11)
}

#[test]
fn every_registered_network() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    let known = REGISTRY.iter().filter(|known| known.name != "vit-32");
    for (at, architecture) in known.enumerate() {
        let model = narrow(architecture.name);
        for (i, mode) in MODES.into_iter().enumerate() {
            let rule = RULES[(at + 2 * i) % RULES.len()];
            let start = || learner(model, rule, DType::F32);
            let [mut here, mut there] = [start(), start().on(gpu.clone())];
            for n in [3, 2] {
                let done = [&mut here, &mut there].map(|learner| {
                    let done = step(learner, [n, 35, 33], mode);
                    done.map_err(|error| error.to_string())
                });
                assert_eq!(done[0], done[1], "{model}, {mode:?}, {rule:?}");
                if done[0].is_err() {
                    // Without the batch's statistics the formula's weights explode in the deepest networks.
                    assert!(mode == BatchNormMode::Eval && n == 2, "{model}: {done:?}");
                    break;
                }
                assert!(there.is_on_gpu() && !here.is_on_gpu());
                assert_eq!(here.status(), there.status());
                let (a, b) = (here.save().unwrap(), there.save().unwrap());
                assert!(a == b, "{model}, {mode:?}, {rule:?}, {n} images");
            }
        }
    }
}

/// Full width: the layers of the paper's attacks.
#[test]
fn whole_networks() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    for (name, shape) in [("resnet20", [9, 32, 32]), ("resnet18", [5, 32, 32])] {
        for (mode, rule) in MODES.into_iter().zip(RULES) {
            let start = || learner(common::model(name), rule, DType::F32);
            let [mut here, mut there] = [start(), start().on(gpu.clone())];
            for learner in [&mut here, &mut there] {
                step(learner, shape, mode).unwrap();
                step(learner, shape, mode).unwrap();
            }
            assert!(there.is_on_gpu());
            let weights = |learner: Learner| {
                let weights = learner.into_network().unwrap().weights().unwrap();
                weights.to_bytes().unwrap()
            };
            assert!(weights(here) == weights(there), "{name}, {mode:?}");
        }
    }
}

/// Every step is on another device than the one before, or in another mode, or on images of another size.
#[test]
fn a_training_may_change_its_device_and_its_mode() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    for name in ["resnet20", "vgg11_bn"] {
        for rule in RULES {
            let start = || learner(narrow(name), rule, DType::F32);
            let mut whole = start();
            let mut changed = start().on(gpu.clone());
            for turn in 0..6 {
                let (mode, size) = (MODES[turn / 2 % 2], [3 - turn / 4, 32 + turn / 3, 32]);
                step(&mut whole, size, mode).unwrap();
                step(&mut changed, size, mode).unwrap();
                assert_eq!(changed.is_on_gpu(), turn % 2 == 0);
                let state = changed.save().unwrap();
                assert!(state == whole.save().unwrap(), "{name}, {rule:?}, {turn}");
                changed = match turn % 2 {
                    0 => start(),
                    _ => start().on(gpu.clone()),
                };
                changed.restore(&state).unwrap();
            }
            // Another mode on the same device.
            for mode in MODES {
                for learner in [&mut whole, &mut changed] {
                    step(learner, [3, 32, 32], mode).unwrap();
                }
                assert!(changed.is_on_gpu());
                assert!(changed.save().unwrap() == whole.save().unwrap());
            }
        }
    }
}

/// A batch that does not fit is trained on the CPU, from the start or from then on.
/// A forger moves the weights themselves between two steps. What is on the GPU must not undo that, and must follow it.
#[test]
fn a_caller_may_change_the_network() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    let start = || learner(narrow("resnet20"), RULES[0], DType::F32);
    let [mut here, mut there] = [start(), start().on(gpu)];
    for learner in [&mut here, &mut there] {
        step(learner, [3, 33, 32], BatchNormMode::Eval).unwrap();
        let network = learner.network_to_change().unwrap();
        let (_, weight) = network.parameters().next().unwrap();
        weight.set(&(weight.as_tensor() * 0.5).unwrap()).unwrap();
        let halved = values(weight);
        let (_, weight) = learner.network().unwrap().parameters().next().unwrap();
        assert_eq!(values(weight), halved);
        step(learner, [2, 33, 32], BatchNormMode::Eval).unwrap();
    }
    assert!(there.is_on_gpu() && !here.is_on_gpu());
    assert!(here.save().unwrap() == there.save().unwrap());
}

#[test]
fn a_small_memory_has_the_same_bits() {
    let start = || learner(common::model("resnet20"), RULES[0], DType::F32);
    let mut here = start();
    for n in [2, 40, 2] {
        step(&mut here, [n, 32, 32], BatchNormMode::Train).unwrap();
    }
    for (mib, fits) in [(2, false), (12, true), (64, true)] {
        let Some(gpu) = gpu(Memory::Bytes(mib << 20)) else {
            return;
        };
        let mut there = start().on(gpu);
        step(&mut there, [2, 32, 32], BatchNormMode::Train).unwrap();
        assert_eq!(there.is_on_gpu(), fits, "{mib} MiB");
        step(&mut there, [40, 32, 32], BatchNormMode::Train).unwrap();
        assert!(!there.is_on_gpu(), "{mib} MiB");
        step(&mut there, [2, 32, 32], BatchNormMode::Train).unwrap();
        assert!(there.save().unwrap() == here.save().unwrap(), "{mib} MiB");
    }
}

#[test]
fn errors_are_the_cpus() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    let mut there = learner(narrow("resnet18"), RULES[0], DType::F32).on(gpu.clone());
    // The last maps have one pixel.
    let single = step(&mut there, [1, 32, 32], BatchNormMode::Train);
    assert!(matches!(single, Err(Error::SingleValue)), "{single:?}");
    assert!(there.is_on_gpu());
    let both = || learner(narrow("resnet20"), RULES[2], DType::F32);
    let said = [both(), both().on(gpu)].map(|mut learner| {
        let images = common::images([2, 3, 32, 32], DType::F32);
        let mut pixels: Vec<f32> = images.flatten_all().unwrap().to_vec1().unwrap();
        pixels[7] = f32::NAN;
        let step = learner.step((pixels, [3, 32, 32]), vec![0, 1], BatchNormMode::Eval, 0.1);
        step.unwrap_err().to_string()
    });
    assert_eq!(said[0], said[1]);
    assert!(said[0].contains("the training loss is NaN"), "{}", said[0]);
}

/// What has no form on a GPU is trained on the CPU.
#[test]
fn the_rest_is_trained_on_the_cpu() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    let vit = || learner(common::model("vit-32"), RULES[0], DType::F32);
    let [mut here, mut there] = [vit(), vit().on(gpu.clone())];
    for learner in [&mut here, &mut there] {
        step(learner, [2, 32, 32], BatchNormMode::Eval).unwrap();
        assert!(!learner.is_on_gpu());
    }
    assert!(here.save().unwrap() == there.save().unwrap());
}
