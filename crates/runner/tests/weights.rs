//! Weight files on the command line. Files of known networks are accepted, whoever wrote them. Other files are refused
//! with one line before any work.

mod common;
#[path = "../../checkpoint/tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::fs;

use brink_models::{Model, Weights};
use brink_random::Stream;
use common::{Answer, GRID, Place};
use support::{Py, archive, dict, floats, legacy, storage, text, view};

const TRAINING: &str = "train: {epochs: 1, images: 300, batch: 50}";

/// Runs the miniature's target with a weight file. `target` replaces its training.
fn run(file: &str, bytes: &[u8], target: &str) -> (Place, Answer) {
    assert!(GRID.contains(TRAINING));
    let place = Place::new(&GRID.replace(TRAINING, target));
    fs::write(place.path().join(file), bytes).unwrap();
    let sets = ["generators=[]", "attacks=[]", "reports=[table1]"];
    let sets = sets.into_iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = ["grid.yaml"].into_iter().chain(sets).collect();
    let answer = place.run(&arguments);
    (place, answer)
}

/// Runs with weights that must be refused. Returns the message after the name of the file.
fn refused(bytes: &[u8]) -> String {
    let (place, answer) = run("net.pth", bytes, "init: {weights: net.pth}");
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
    assert!(!place.results().exists(), "it began to work");
    let (_, problem) = answer.stderr.split_once("net.pth: ").unwrap();
    problem.into()
}

/// A saved network for `classes` classes: its tensors, renamed by `rename`, and the numbers of their storages.
fn saved(classes: usize, rename: impl Fn(&str) -> String) -> (Py, Vec<(String, Vec<f32>)>) {
    let model: Model = "resnet20".parse().unwrap();
    let weights = Weights::draw(model, classes, &Stream::new(3)).unwrap();
    let (mut entries, mut storages) = (Vec::new(), Vec::new());
    for (name, tensor) in weights.tensors() {
        let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        let shape: Vec<i64> = tensor.dims().iter().map(|&side| side as i64).collect();
        let strides: Vec<i64> = (0..shape.len())
            .map(|axis| shape[axis + 1..].iter().product())
            .collect();
        let key = storages.len().to_string();
        let whole = storage("FloatStorage", &key, numbers.len() as i64);
        entries.push((text(&rename(name)), view(whole, 0, &shape, &strides)));
        storages.push((key, numbers));
    }
    (Py::Dict(entries), storages)
}

fn as_archive(saved: &Py, storages: &[(String, Vec<f32>)]) -> Vec<u8> {
    let storages: Vec<(&str, Vec<u8>)> = storages
        .iter()
        .map(|(key, numbers)| (key.as_str(), floats(numbers)))
        .collect();
    archive(saved, &storages)
}

#[test]
fn files_that_are_refused() {
    let one = |numbers: &[f32]| {
        let length = numbers.len() as i64;
        let tensor = view(storage("FloatStorage", "0", length), 0, &[length], &[1]);
        archive(&dict([("w", tensor)]), &[("0", floats(numbers))])
    };
    let mut nested = b"\x80\x02N".to_vec();
    nested.extend([0x85].repeat(100_000));
    nested.push(b'.');
    let mut changed = one(&[0.25; 8]);
    let at = changed
        .windows(4)
        .position(|part| part == 0.25f32.to_le_bytes());
    changed[at.unwrap()] ^= 1;
    let (network, storages) = saved(43, str::to_owned);
    let Py::Dict(mut entries) = network.clone() else {
        unreachable!()
    };
    let first = entries[0].1.clone();
    entries.push((text("module.bn1.bias"), first));
    let collision = Py::Dict(entries);
    let (ten, ten_storages) = saved(10, |name| name.replace("linear.", "fc."));
    let Py::Dict(mut ten) = ten else {
        unreachable!()
    };
    let shortcut = ten[0].1.clone();
    ten.push((text("layer2.0.shortcut.1.bias"), shortcut));
    let mut said = String::new();
    for (what, bytes) in [
        ("a number that is none", one(&[1.0, f32::NAN])),
        ("a changed byte", changed),
        ("nested tuples", support::archive_of(&nested, &[])),
        ("another format", b"\x89HDF\r\n\x1a\n".to_vec()),
        ("another network", one(&[1.0])),
        ("another number of classes", as_archive(&network, &storages)),
        ("two networks", as_archive(&collision, &storages)),
        ("option B", as_archive(&Py::Dict(ten), &ten_storages)),
    ] {
        write!(said, "{what}: {}", refused(&bytes)).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// A training checkpoint of an old PyTorch, from a data-parallel network whose classifier has another name. The weights
/// are accepted. Warnings report the new name, and that the network does not reach the accuracy that the file claims.
#[test]
fn a_checkpoint_from_elsewhere_is_taken() {
    let rename = |name: &str| format!("module.{}", name.replace("linear.", "fc."));
    let (network, storages) = saved(10, rename);
    let checkpoint = dict([
        ("net", network),
        ("acc", Py::Float(92.12)),
        ("epoch", Py::Int(164)),
    ]);
    let storages: Vec<(&str, u64, Vec<u8>)> = storages
        .iter()
        .map(|(key, numbers)| (key.as_str(), numbers.len() as u64, floats(numbers)))
        .collect();
    let (place, answer) = run(
        "CKPT.T7",
        &legacy(&checkpoint, 2, &storages),
        "init: {weights: CKPT.T7}",
    );
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let warnings: Vec<&str> = answer
        .stderr
        .lines()
        .filter(|line| line.starts_with("WARNING"))
        .collect();
    let [renamed, claimed] = warnings[..] else {
        panic!("{}", answer.stderr);
    };
    assert!(
        renamed.ends_with("the file's layer `fc` is taken for `linear`"),
        "{renamed}"
    );
    assert!(
        claimed.contains("the file claims 92.12 % (`acc`), measured ")
            && claimed.contains("`normalize` is probably not what the network was trained with"),
        "{claimed}"
    );
    // The stored weights are those of the saved network.
    let model: Model = "resnet20".parse().unwrap();
    let expected = Weights::draw(model, 10, &Stream::new(3)).unwrap();
    let (_, kept) = &place.payloads()[0];
    assert!(*kept == expected.to_bytes().unwrap());
}

#[test]
fn a_file_is_inspected() {
    let rename = |name: &str| format!("module.{}", name.replace("linear.", "fc."));
    let (network, storages) = saved(10, rename);
    let checkpoint = dict([("net", network), ("acc", Py::Float(92.12))]);
    let place = Place::new(GRID);
    let bytes = as_archive(&checkpoint, &storages);
    fs::write(place.path().join("net.pth"), bytes).unwrap();
    let answer = place.run(&["inspect", "net.pth"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lines: Vec<&str> = answer.stdout.lines().take(8).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(place.run(&["inspect", "grid.yaml"]).code, Some(2));
}

/// `head: new` accepts a file for other classes.
#[test]
fn a_file_for_other_classes_gets_a_new_head() {
    let (network, storages) = saved(43, |name| name.replace("linear.", "fc."));
    let target = format!("init: {{weights: net.pth, head: new}}\n    {TRAINING}");
    let (_, answer) = run("net.pth", &as_archive(&network, &storages), &target);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(!answer.stderr.contains("WARNING"), "{}", answer.stderr);
}
