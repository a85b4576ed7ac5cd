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

/// Published checkpoints as they are downloaded: those of our network fit it, those of its neighbour are told from it.
#[test]
fn published_checkpoints_fit_or_say_why_not() {
    let cases = std::env::var_os("BRINK_DATA").map(|data| PathBuf::from(data).join("../cases"));
    let Some(cases) = cases.filter(|cases| cases.is_dir()) else {
        skipped(
            "published checkpoints. Name the data folder with BRINK_DATA; they lie beside it, in `cases`",
        );
        return;
    };
    let model = common::model("resnet20");
    let fits = |name: &str| {
        let weights = Weights::read(&cases.join(name)).unwrap();
        weights.named_for(model, 10).unwrap().check(model, 10)
    };
    for name in [
        "weights/resnet20-12fca82f.th",
        "weights/kuangliu-style-resnet20.pth",
        "derived-weights/wrap_net.pth",
        "derived-weights/prefix__orig_mod-.pth",
    ] {
        fits(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (name, why) in [
        ("weights/ckpt.t7", "`layer2.0.shortcut.0.weight`"),
        (
            "weights/benjames03-resnet20.pth",
            "`layer2.0.shortcut.0.weight`",
        ),
        (
            "weights/fattorib-resnet20.pth",
            "`conv1.weight` is missing; the weights have `bn.bias`",
        ),
        (
            "weights/cifar_conv_small_pgd.pth",
            "`conv1.weight` is missing; the weights have `0.bias`",
        ),
        (
            "weights/quantized-demo/checkpoint.pth.tar",
            "`conv1.weight` is missing",
        ),
        (
            "weights/resnet56-4bfd9763.th",
            "`layer1.3.bn1.bias` is not a tensor of the network",
        ),
        ("onnx/resnet2b.pth", "has shape"),
    ] {
        let error = fits(name).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}
