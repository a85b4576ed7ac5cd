//! `configs/onnx.yaml`: an ONNX file as the target of a grid: asked, modified, and refused where more than answers is needed.

mod common;

use std::fs;
use std::path::Path;

use common::Place;
use serde_json::Value;

/// The committed grid.
fn grid() -> String {
    let grid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/onnx.yaml");
    fs::read_to_string(grid).unwrap()
}

fn fixture() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/classifier.onnx");
    fs::read(path).unwrap()
}

fn place(grid: &str) -> Place {
    let place = Place::new(grid);
    fs::create_dir_all(place.path().join("data")).unwrap();
    fs::write(place.path().join("data/mine.onnx"), fixture()).unwrap();
    place
}

const RUN: [&str; 3] = ["grid.yaml", "--data", "data"];

fn refused(place: &Place, arguments: &[&str]) -> String {
    let answer = place.run(&[&RUN, arguments].concat());
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert!(!place.results().exists(), "it began to work");
    answer.stderr
}

/// The flipped images of the run of `generator` under `attack` with `field` at `value`.
fn flipped(
    records: &[(String, Value)],
    generator: &str,
    attack: &str,
    field: &str,
    value: f64,
) -> u64 {
    let run = records.iter().map(|(_, record)| record).find(|record| {
        record["generator"] == generator
            && record["attack"] == attack
            && (field.is_empty() || record["spec"][field] == value)
    });
    let single = &run.unwrap_or_else(|| panic!("no run of {generator} under {attack}"))["single"];
    single["hits"]
        .as_u64()
        .unwrap_or_else(|| panic!("{single}"))
}

#[test]
fn a_grid_asks_and_modifies_it() {
    let place = place(&grid());
    let answer = place.succeed(&RUN);
    assert!(!answer.stderr.contains("warning"), "{}", answer.stderr);
    let records = place.records();
    let (_, target) = records
        .iter()
        .find(|(path, _)| path.contains("targets/"))
        .unwrap();
    assert_eq!(target["model"], "onnx");
    assert_eq!(target["parameters"], 8 * 75 + 16 + 16 * 128 + 16 + 160 + 10);

    let flips = |attack, field, value| flipped(&records, "bracketed", attack, field, value);
    assert_eq!(flips("identity", "", 0.0), 0);
    // One of the members of a closest pair flips with nearly any change.
    for (attack, field, value) in [
        ("prune", "rate", 0.1),
        ("quantize", "bits", 8.0),
        ("nudge", "share", 0.001),
    ] {
        assert!(flips(attack, field, value) >= 10, "{attack}");
    }
    let far = flipped(&records, "validset", "nudge", "share", 0.001);
    assert!(far <= 2, "natural images are far from the boundary: {far}");

    // A second run computes nothing. Other bytes are other steps.
    let plan = || place.succeed(&[&["plan"], &RUN[..]].concat()).stdout;
    let done = plan();
    assert!(!done.contains("open"), "{done}");
    let mut bytes = fixture();
    // An empty field of the file: another file with the same network.
    bytes.extend([0x32, 0]); // doc_string: ""
    fs::write(place.path().join("data/mine.onnx"), bytes).unwrap();
    assert_ne!(plan(), done);
    // The same bytes elsewhere are the same steps.
    fs::write(place.path().join("data/moved.onnx"), fixture()).unwrap();
    fs::write(
        place.path().join("grid.yaml"),
        grid().replace("mine.onnx }", "moved.onnx }"),
    )
    .unwrap();
    assert_eq!(plan(), done);
}

/// The order of work is no excuse: all of it is refused before anything is computed.
#[test]
fn what_needs_more_than_answers_is_refused_by_name() {
    let place = place(&grid());
    let mut all = String::new();
    for change in [
        "generators=[dbi]",
        "generators=[dbi-original]",
        "generators=[aid]",
        "generators=[aid-original]",
        "generators=[ours]",
        "generators=[sensitive-samples]",
        "generators=[ibsf]",
        "attacks=[finetune]",
        "attacks=[backdoor]",
        "attacks=[quantize: {what: weights_and_activations}]",
        "attacks=[execution: {arithmetic: float64}]",
        "attacks=[execution: {arithmetic: tf32}]",
        "attacks=[execution: {program: python3 engine.py}]",
        "probes=[timing]",
        "probes=[dispersion]",
        "probes=[convergence]",
        "slice={attack: finetune}",
        "targets.mine.train={epochs: 1}",
        "targets.mine.width=0.5",
        "targets.mine.init={weights: a.pth}",
    ] {
        all += &refused(&place, &["--set", change]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_file_that_cannot_be_run_is_refused_where_it_stands() {
    let place = place(&grid());
    let data = place.path().join("data");
    fs::write(data.join("text.onnx"), "no model").unwrap();
    let mut cut = fixture();
    cut.truncate(cut.len() / 2);
    fs::write(data.join("cut.onnx"), cut).unwrap();
    let mut all = String::new();
    for model in [
        "{onnx: absent.onnx}",
        "{onnx: text.onnx}",
        "{onnx: cut.onnx}",
        "{onx: mine.onnx}",
        "{}",
        "resnet21",
        "7",
    ] {
        let change = format!("targets.mine.model={model}");
        all += &refused(&place, &["--set", &change]);
    }
    insta::assert_snapshot!(all);
}

/// A module of candle has gradients, but hides its layers.
#[test]
fn what_a_module_of_candle_hides_is_refused_before_any_work() {
    let grid = grid().replace("{ onnx: mine.onnx }", "vit-32");
    let place = place(&grid);
    let mut all = String::new();
    for change in [
        "generators=[aid]",
        "generators=[aid-original]",
        "attacks=[quantize: {what: weights_and_activations}]",
        "attacks=[execution: {arithmetic: tf32}]",
        "attacks=[execution: {arithmetic: bfloat16}]",
        "probes=[timing]",
    ] {
        all += &refused(&place, &["--set", change]);
    }
    insta::assert_snapshot!(all);
    // All else is planned, also the paper's method: its activation term is about the outputs.
    let fits = "generators=[dbi, ours, ibsf]";
    place.succeed(&[&["plan"], &RUN[..], &["--set", fits]].concat());
}
