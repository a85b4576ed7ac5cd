//! ONNX files against what ONNX Runtime answers (scripts/owner/tiny_onnx.py made both), and files that are refused.

use std::path::{Path, PathBuf};

use brink_endpoint::{Answer, Deployed, Encoding, Onnx};
use brink_models::Normalize;
use brink_verify::Images;

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx");
    folder.join(name)
}

fn read(name: &str) -> Onnx {
    Onnx::read(&file(name), Encoding::ChannelsFirst, None).unwrap()
}

fn golden() -> (Images, Vec<Vec<f32>>) {
    let text = std::fs::read_to_string(file("tiny.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pixels: Vec<f32> = serde_json::from_value(json["pixels"].clone()).unwrap();
    let scores = serde_json::from_value(json["scores"].clone()).unwrap();
    (Images::new([3, 4, 4], pixels).unwrap(), scores)
}

fn scores(model: &Onnx, images: &Images) -> Vec<Vec<f32>> {
    let answers = model.ask(images).unwrap();
    let scores = answers.into_iter().map(|answer| match answer {
        Answer::Scores(scores) => scores,
        other => panic!("{other:?}"),
    });
    scores.collect()
}

fn assert_close(found: &[Vec<f32>], wanted: &[Vec<f32>]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
    }
}

#[test]
fn the_scores_are_those_of_onnx_runtime_in_any_batch() {
    let (images, wanted) = golden();
    // The second file fixes two images a run, and three are asked.
    for name in ["tiny.onnx", "two_images.onnx"] {
        let model = read(name);
        assert_close(&scores(&model, &images), &wanted);
        for (i, wanted) in wanted.iter().enumerate() {
            let one = scores(&model, &images.select(&[i]));
            assert_close(&one, std::slice::from_ref(wanted));
        }
    }
}

#[test]
fn pixels_are_normalised_before_the_model() {
    let (images, _) = golden();
    let constants = Normalize {
        mean: [0.5, 0.25, 0.125],
        std: [0.5, 2.0, 4.0],
    };
    let normalising =
        Onnx::read(&file("tiny.onnx"), Encoding::ChannelsFirst, Some(constants)).unwrap();
    let plain = read("tiny.onnx");
    // Planes of the constants' own means become black.
    let grey = [0.5, 0.25, 0.125].map(|mean| [mean; 16]).concat();
    let grey = Images::new([3, 4, 4], grey).unwrap();
    let black = Images::new([3, 4, 4], vec![0.0; 48]).unwrap();
    assert_eq!(scores(&normalising, &grey), scores(&plain, &black));
    assert_ne!(scores(&normalising, &images), scores(&plain, &images));
}

#[test]
fn files_that_cannot_be_asked_are_refused() {
    let refused = |name: &str, encoding| {
        let opened = Onnx::read(&file(name), encoding, None);
        let (images, _) = golden();
        let error = match opened {
            Ok(model) => model.ask(&images).err().unwrap(),
            Err(error) => error,
        };
        assert!(error.is_input(), "{error}");
        error.to_string()
    };
    let first = Encoding::ChannelsFirst;
    for (name, encoding, why) in [
        ("integers.onnx", first, "export it with an input of float32"),
        ("two_inputs.onnx", first, "has 2 inputs, not one"),
        (
            "no_scores.onnx",
            first,
            "its first output has the shape [3, 6, 4, 4]",
        ),
        ("tiny.json", first, "it is no ONNX file that can be run"),
        ("absent.onnx", first, "No such file"),
        (
            "tiny.onnx",
            Encoding::ChannelsLast,
            "does not take images of 3x4x4",
        ),
        (
            "tiny.onnx",
            Encoding::Png,
            "--pixels: an ONNX file takes numbers",
        ),
    ] {
        let error = refused(name, encoding);
        assert!(error.contains(why), "{name}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
