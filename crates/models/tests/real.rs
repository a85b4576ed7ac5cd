//! Real weights on real images, from the folder BRINK_DATA. The published accuracy of a network confirms its weights, its normalisation, the
//! layout of the pixels and the forward pass together. If a file is missing, its test prints so and passes.

mod common;

use brink_data::{Id, Presence, Split, binary_records};
use brink_models::{Network, Normalize, Weights, accuracy};
use std::io::Write;
use std::path::PathBuf;

/// Says what is skipped. Tests that pass have what they print swallowed, but not what they write.
fn skipped(what: &str) {
    let line = format!("skipped: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The data folder and the network that its checkpoint makes, if both are there; else a line says what is skipped.
fn network() -> Option<(PathBuf, Network)> {
    let Some(root) = std::env::var_os("BRINK_DATA").map(PathBuf::from) else {
        skipped("real weights on real images. Name the data folder with BRINK_DATA");
        return None;
    };
    let path = root.join("weights/cifar10_resnet20_akamaster.safetensors");
    if !path.exists() {
        skipped(&format!(
            "real weights on real images. {} is missing",
            path.display()
        ));
        return None;
    }
    let weights = Weights::read(&path).unwrap();
    let network = Network::frozen(
        common::model("resnet20"),
        10,
        &weights,
        Some(Normalize::IMAGENET),
    )
    .unwrap();
    Some((root, network))
}

/// Percent of all images of a split.
fn percent(network: &Network, split: &Split) -> f64 {
    let all: Vec<usize> = (0..split.len()).collect();
    let percent = 100.0 * accuracy(network, split, &all).unwrap().value();
    println!("{percent:.2} % of {}", split.len());
    percent
}

/// PyTorch with the same weights on the same files, decoded by another JPEG library: 81.03 %. The network's own 91.7 % are lost
/// to the JPEG compression.
#[test]
fn resnet20_has_its_accuracy_on_jpeg_images() {
    let Some((root, network)) = network() else {
        return;
    };
    let found = brink_data::find(Id::Cifar10Jpeg, Some(&root));
    if let Presence::NotFound { .. } = found {
        skipped(&format!("accuracy on JPEG images. {found}"));
        return;
    }
    let set = brink_data::open(Id::Cifar10Jpeg, Some(&root)).unwrap();
    let percent = percent(&network, &set.test);
    assert!((percent - 81.03).abs() <= 0.1, "{percent} %");
}

/// Images it was trained on, with their original pixels.
#[test]
fn resnet20_knows_its_training_images() {
    let Some((root, network)) = network() else {
        return;
    };
    let path = root.join("cifar10/lossless_train_first4000.bin.xz");
    let Ok(packed) = std::fs::read(&path) else {
        skipped(&format!(
            "accuracy on original pixels. {} is missing",
            path.display()
        ));
        return;
    };
    let mut bytes = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut bytes).unwrap();
    let percent = percent(&network, &binary_records(&bytes).unwrap().take(1000));
    assert!((percent - 99.9).abs() < 0.05, "{percent} %");
}

/// The folder of published checkpoints, if it is there; else a line says what is skipped.
fn cases() -> Option<PathBuf> {
    let cases = std::env::var_os("BRINK_DATA").map(|data| PathBuf::from(data).join("../cases"));
    let cases = cases.filter(|cases| cases.is_dir());
    if cases.is_none() {
        skipped(
            "published checkpoints. Name the data folder with BRINK_DATA; they lie beside it, in `cases`",
        );
    }
    cases
}

/// Published checkpoints as they are downloaded: each fits its own network, and no other of ours.
#[test]
fn published_checkpoints_fit_their_networks() {
    let Some(cases) = cases() else {
        return;
    };
    for (name, expected) in [
        ("weights/resnet20-12fca82f.th", Some("resnet20")),
        ("weights/resnet56-4bfd9763.th", Some("resnet56")),
        ("weights/kuangliu-style-resnet20.pth", Some("resnet20")),
        ("weights/ckpt.t7", Some("resnet20-b")),
        ("weights/benjames03-resnet20.pth", Some("resnet20-b")),
        ("derived-weights/wrap_net.pth", Some("resnet20")),
        ("derived-weights/prefix__orig_mod-.pth", Some("resnet20")),
        // Its stages end, not begin, with the blocks that halve the maps.
        ("weights/fattorib-resnet20.pth", None),
        ("weights/cifar_conv_small_pgd.pth", None),
        ("weights/quantized-demo/checkpoint.pth.tar", None),
        ("onnx/resnet2b.pth", None),
    ] {
        let weights = Weights::read(&cases.join(name)).unwrap();
        let fits: Vec<&str> = weights
            .fits()
            .unwrap()
            .into_iter()
            .map(|(model, _)| model.name())
            .collect();
        assert_eq!(fits, Vec::from_iter(expected), "{name}");
        let Some(expected) = expected else { continue };
        let model = common::model(expected);
        let named = weights.named_for(model, 10).unwrap();
        named.check(model, 10).unwrap();
    }
}

/// What does not fit is named.
#[test]
fn published_checkpoints_of_other_networks_say_why_not() {
    let Some(cases) = cases() else {
        return;
    };
    let model = common::model("resnet20");
    for (name, why) in [
        ("weights/ckpt.t7", "; they fit resnet20-b with 10 classes"),
        (
            "weights/fattorib-resnet20.pth",
            "the network does not have `bn.bias`",
        ),
        (
            "weights/cifar_conv_small_pgd.pth",
            "the network does not have `0.bias`",
        ),
        (
            "weights/quantized-demo/checkpoint.pth.tar",
            "`conv1.weight` is missing",
        ),
        (
            "weights/resnet56-4bfd9763.th",
            "; they fit resnet56 with 10 classes",
        ),
        ("onnx/resnet2b.pth", "has shape"),
    ] {
        let weights = Weights::read(&cases.join(name)).unwrap();
        let named = weights.named_for(model, 10).unwrap();
        let error = named.check(model, 10).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

/// A published network claims 92.12 %. On images that went through JPEG it has ten points less.
#[test]
fn a_published_checkpoint_has_its_accuracy_on_jpeg_images() {
    let (Some(cases), Some((root, _))) = (cases(), network()) else {
        return;
    };
    let Ok(set) = brink_data::open(Id::Cifar10Jpeg, Some(&root)) else {
        skipped("accuracy of published checkpoints. The JPEG images are missing");
        return;
    };
    let kuangliu = Normalize {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2471, 0.2435, 0.2616],
    };
    let path = cases.join("weights/kuangliu-style-resnet20.pth");
    let weights = Weights::read(&path).unwrap();
    let measured = |normalize| {
        let model = common::model("resnet20");
        percent(
            &Network::frozen(model, 10, &weights, normalize).unwrap(),
            &set.test,
        )
    };
    // PyTorch: about 82.2 %.
    let right = measured(Some(kuangliu));
    assert!((right - 82.2).abs() <= 0.5, "{right} %");
    // Half of it is lost without the constants.
    let wrong = measured(None);
    assert!(wrong < 45.0, "{wrong} %");
}
