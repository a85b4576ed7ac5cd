//! The network of an ONNX file as a target: its weights can be changed, and it only answers.

use std::collections::BTreeMap;
use std::path::Path;

use brink_endpoint::{Error, onnx_network};
use brink_models::{Access, Model, Network, Normalize, Weights};
use candle_core::{Device, Tensor};

const SHAPE: [usize; 3] = [3, 4, 4];
const CLASSES: usize = 5;

fn open(name: &str, shape: [usize; 3], classes: usize) -> Result<Model, Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx");
    let path = folder.join(name);
    onnx_network(&path, &std::fs::read(&path).unwrap(), shape, classes)
}

/// Three images, and what ONNX Runtime answers for them.
fn golden() -> (Tensor, Vec<f32>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/tiny.json");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let pixels: Vec<f32> = serde_json::from_value(json["pixels"].clone()).unwrap();
    let scores: Vec<Vec<f32>> = serde_json::from_value(json["scores"].clone()).unwrap();
    let images = Tensor::from_vec(pixels, (3, 3, 4, 4), &Device::Cpu).unwrap();
    (images, scores.concat())
}

fn asked(model: Model, weights: &Weights, images: &Tensor) -> Vec<f32> {
    let network = Network::frozen(model, CLASSES, weights, None).unwrap();
    let logits = network.logits(images).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

/// The weights with one tensor multiplied.
fn times(weights: &Weights, name: &str, factor: f64) -> Weights {
    let mut tensors: BTreeMap<String, Tensor> = weights.tensors().clone();
    let old = &tensors[name];
    let new = (old * factor).unwrap();
    tensors.insert(name.to_owned(), new);
    Weights::from_tensors(tensors)
}

#[track_caller]
fn assert_close(found: &[f32], wanted: impl IntoIterator<Item = f32>) {
    let wanted: Vec<f32> = wanted.into_iter().collect();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 2e-5, "{found} {wanted}");
    }
}

#[test]
fn changed_initialisers_change_the_answers() {
    let (images, scores) = golden();
    for file in ["tiny.onnx", "two_images.onnx"] {
        let model = open(file, SHAPE, CLASSES).unwrap();
        let weights = model.brought().unwrap();
        // Layers are called so, whatever the file calls them.
        assert_eq!(
            weights.names(),
            ["bias", "kernel.weight", "matrix.weight"],
            "{file}"
        );
        // The output channels come first. The file has them last.
        assert_eq!(weights.tensors()["matrix.weight"].dims(), [CLASSES, 6]);
        assert_close(&asked(model, &weights, &images), scores.iter().copied());
        // The linear layer is the last one, and has no bias.
        let doubled = times(&weights, "matrix.weight", 2.0);
        assert_close(
            &asked(model, &doubled, &images),
            scores.iter().map(|score| 2.0 * score),
        );
        // ReLU passes a factor above 0 on, if the bias has it, too.
        let both = times(&times(&weights, "kernel.weight", 3.0), "bias", 3.0);
        assert_close(
            &asked(model, &both, &images),
            scores.iter().map(|score| 3.0 * score),
        );
        let pruned = times(&weights, "matrix.weight", 0.0);
        assert!(
            asked(model, &pruned, &images)
                .iter()
                .all(|score| *score == 0.0)
        );
    }
}

/// One row of the matrix is one class.
#[test]
fn output_channels_are_classes() {
    let (images, scores) = golden();
    let model = open("tiny.onnx", SHAPE, CLASSES).unwrap();
    let weights = model.brought().unwrap();
    let mut tensors = weights.tensors().clone();
    let mut rows: Vec<Vec<f32>> = tensors["matrix.weight"].to_vec2().unwrap();
    rows[2].fill(0.0);
    let new = Tensor::new(rows, &Device::Cpu).unwrap();
    tensors.insert("matrix.weight".to_owned(), new);
    let found = asked(model, &Weights::from_tensors(tensors), &images);
    let wanted = scores.iter().enumerate();
    assert_close(
        &found,
        wanted.map(|(at, score)| if at % CLASSES == 2 { 0.0 } else { *score }),
    );
}

#[test]
fn answers_do_not_depend_on_the_batch() {
    let (images, _) = golden();
    let model = open("tiny.onnx", SHAPE, CLASSES).unwrap();
    let weights = model.brought().unwrap();
    let all = asked(model, &weights, &images);
    for at in 0..3 {
        let alone = asked(model, &weights, &images.narrow(0, at, 1).unwrap());
        let bits = |scores: &[f32]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(&all[at * CLASSES..][..CLASSES]));
    }
}

#[test]
fn it_only_answers() {
    let (images, _) = golden();
    let model = open("tiny.onnx", SHAPE, CLASSES).unwrap();
    assert_eq!(model.access(CLASSES).unwrap(), Access::Answers);
    let weights = model.brought().unwrap();
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let message = network.record(&images, None).map(|_| ()).unwrap_err();
    assert!(message.to_string().contains("no gradients"), "{message}");
    assert!(network.ranges(&images).is_err());
    let trainable = brink_models::Trainable::new(model, CLASSES, &weights, None);
    assert!(trainable.is_err());
    assert!(Network::frozen(model, 6, &weights, None).is_err());
    // Its own normalisation is not its affair.
    let normalize = Normalize {
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    let normal = Network::frozen(model, CLASSES, &weights, Some(normalize)).unwrap();
    let by_hand = ((&images - 0.5).unwrap() / 0.25).unwrap();
    let found: Vec<f32> = normal
        .logits(&images)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_close(&found, asked(model, &weights, &by_hand));
}

#[test]
fn files_that_are_no_target_are_refused() {
    for (name, shape, classes, why) in [
        (
            "tiny.onnx",
            SHAPE,
            10,
            "it gives 5 scores for an image, but the data set has 10 classes",
        ),
        ("tiny.onnx", [3, 8, 8], 5, "does not take images of 3x8x8"),
        (
            "integers.onnx",
            SHAPE,
            5,
            "export it with an input of float32",
        ),
        ("two_inputs.onnx", SHAPE, 5, "has 2 inputs, not one"),
        ("no_scores.onnx", SHAPE, 5, "its first output has the shape"),
        ("tiny.json", SHAPE, 5, "it is no ONNX file that can be run"),
    ] {
        let error = open(name, shape, classes).map(|_| ()).unwrap_err();
        assert!(error.is_input());
        let message = error.to_string();
        assert!(message.contains(why), "{name}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

/// A damaged file is refused, or is a network of the right shape.
#[test]
fn fuzz() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx");
    let whole = std::fs::read(folder.join("tiny.onnx")).unwrap();
    let (images, _) = golden();
    let (mut read, mut all) = (0, 0);
    for mut dice in fuzz::rounds(300) {
        let bytes = fuzz::damaged(&whole, &mut dice);
        all += 1;
        match onnx_network(&folder, &bytes, SHAPE, CLASSES) {
            Ok(model) => {
                let weights = model.brought().unwrap();
                if let Ok(network) = Network::frozen(model, CLASSES, &weights, None)
                    && let Ok(logits) = network.logits(&images)
                {
                    assert_eq!(logits.dims(), [3, CLASSES]);
                    read += 1;
                }
            }
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
    // Otherwise the damage would be too weak, or always caught at the first byte.
    assert!(0 < read && read < all, "{read} of {all}");
}
