//! Whole networks on the stand-in for a GPU: the bits of the CPU, whatever the memory and the number of threads; and what has no form there.

mod common;
#[path = "../../cuda/tests/common/mod.rs"]
mod fake;

use std::sync::Arc;

use brink_cuda::{Error as GpuError, Gpu, Memory};
use brink_models::{Activations, Coverage, Error, Network, Normalize, REGISTRY};
use candle_core::{DType, Tensor};
use common::{CLASSES, bits};

fn gpu(memory: Memory) -> Option<Arc<Gpu>> {
    Some(Gpu::open_with(&fake::library()?, 0, memory).unwrap())
}

/// A network on the CPU, and the same on the stand-in.
fn both(name: &str, width: f64, normalize: Option<Normalize>, gpu: &Arc<Gpu>) -> [Network; 2] {
    let model = common::model(name).with_width(width);
    let weights = common::weights(model, CLASSES, DType::F32);
    let network = || Network::frozen(model, CLASSES, &weights, normalize).unwrap();
    [network(), network().on(gpu.clone())]
}

/// Logits, activation terms and gradients of both.
fn same(networks: &[Network; 2], images: &Tensor, coverages: &[Option<Coverage>]) {
    let model = networks[0].model();
    let [cpu, gpu] = networks.each_ref().map(|n| n.logits(images).unwrap());
    assert_eq!(bits(&cpu), bits(&gpu), "{model}: logits");
    let grad = common::images([images.dim(0).unwrap(), CLASSES, 1, 1], DType::F32);
    let grad = (grad.flatten_from(1).unwrap() - 0.5).unwrap();
    for &coverage in coverages {
        let [cpu, gpu] = networks.each_ref().map(|network| {
            let recording = network.record(images, coverage).unwrap();
            let gradient = recording.input_gradient(grad.clone(), 0.7).unwrap();
            let terms: Option<Vec<u64>> = recording
                .coverage()
                .unwrap()
                .map(|terms| terms.into_iter().map(f64::to_bits).collect());
            assert_eq!(gradient.shape(), images.shape());
            (bits(&recording.logits()), terms, bits(&gradient))
        });
        assert!(cpu.0 == gpu.0, "{model}, {coverage:?}: recorded logits");
        assert!(cpu.1 == gpu.1, "{model}, {coverage:?}: terms");
        assert!(cpu.2 == gpu.2, "{model}, {coverage:?}: gradients");
    }
}

const ALL: [Option<Coverage>; 4] = [
    None,
    Some(Coverage::Detached),
    Some(Coverage::Attached),
    Some(Coverage::Hidden),
];

/// Full width: every layer of the paper's networks and of the MobileNet.
#[test]
fn the_papers_networks() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    for (name, shape) in [
        ("resnet18", [9, 3, 32, 32]),
        ("resnet20", [3, 3, 32, 32]),
        ("vgg16", [2, 3, 40, 40]),
        ("resnet152", [1, 3, 40, 40]),
        ("mobilenet_v2", [2, 3, 33, 47]),
    ] {
        let networks = both(name, 1.0, Some(Normalize::IMAGENET), &gpu);
        let images = common::images(shape, DType::F32);
        let few = ["vgg16", "resnet152"].contains(&name);
        let coverages = if few { &ALL[..1] } else { &ALL };
        same(&networks, &images, coverages);
    }
}

/// An eighth of the width, which has odd numbers of channels; on odd sizes.
#[test]
fn every_registered_network() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    for architecture in REGISTRY.iter().filter(|known| known.name != "vit-32") {
        let networks = both(architecture.name, 0.11, None, &gpu);
        let images = common::images([2, 3, 35, 33], DType::F32);
        same(&networks, &images, &[None, Some(Coverage::Attached)]);
    }
}

/// A batch that does not fit is cut, and what was in memory before does not matter.
#[test]
fn a_small_memory_has_the_same_bits() {
    let images = common::images([23, 3, 32, 32], DType::F32);
    for mib in [64, 8, 5] {
        let Some(gpu) = gpu(Memory::Bytes(mib << 20)) else {
            return;
        };
        let networks = both("resnet20", 1.0, None, &gpu);
        same(&networks, &images, &[None, Some(Coverage::Attached)]);
        same(&networks, &images.narrow(0, 3, 5).unwrap(), &[None]);
    }
}

#[test]
fn too_little_memory_is_one_clear_error() {
    let Some(gpu) = gpu(Memory::Bytes(2 << 20)) else {
        return;
    };
    let [_, network] = both("resnet20", 1.0, None, &gpu);
    let images = common::images([4, 3, 96, 96], DType::F32);
    let error = network.record(&images, None).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, Error::Gpu(GpuError::OutOfMemory { need, budget }) if need > budget),
        "{error:?}"
    );
    let said = error.to_string();
    assert!(said.contains("MiB needed, 2 MiB allowed"), "{said}");
    assert!(said.contains("--gpu-memory"), "{said}");
}

/// Threads take turns.
#[test]
fn many_threads_have_the_same_bits() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    let networks = both("resnet20", 0.5, None, &gpu);
    std::thread::scope(|scope| {
        for n in 1..6 {
            let networks = &networks;
            scope.spawn(move || {
                let images = common::images([n, 3, 20 + n, 24], DType::F32);
                for _ in 0..3 {
                    same(networks, &images, &[None, Some(Coverage::Hidden)]);
                }
            });
        }
    });
}

/// What has no form on a GPU has the CPU's answers as well.
#[test]
fn the_rest_runs_on_the_cpu() {
    let Some(gpu) = gpu(Memory::default()) else {
        return;
    };
    // Modules of candle.
    let networks = both("vit-32", 1.0, None, &gpu);
    same(
        &networks,
        &common::images([2, 3, 32, 32], DType::F32),
        &[None],
    );
    // f64.
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F64);
    let network = || Network::frozen(model, CLASSES, &weights, None).unwrap();
    let wide = common::images([2, 3, 32, 32], DType::F64);
    let [cpu, gpu_] = [network(), network().on(gpu.clone())].map(|n| n.logits(&wide).unwrap());
    assert_eq!(bits(&cpu), bits(&gpu_));
    // Rounded layers.
    let images = common::images([2, 3, 32, 32], DType::F32);
    let [cpu, gpu_] = both("resnet20", 1.0, None, &gpu).map(|network| {
        let ranges = network.ranges(&images).unwrap();
        let eight = brink_config::checked::Bits::literal(8);
        let rounded = network.with_activations(Activations::affine(eight, &ranges));
        rounded.logits(&images).unwrap()
    });
    assert_eq!(bits(&cpu), bits(&gpu_));
}
