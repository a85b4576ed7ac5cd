//! The untouched model in other executions: counted as false alarms, whoever answers.

mod common;

use std::fs;

use common::Place;
use serde_json::Value;

const GRID: &str = "\
name: mini
title: A miniature
reports: [false-alarms]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 40
generators:
  - bracketed: {samples: 5}
  - bracketed: {samples: 5, margin: 1e-3}
attacks:
  - identity
  - execution: {arithmetic: [float64, bfloat16]}
  - execution: {transport: uint8}
";

/// The records of all runs of the attack `execution`.
fn executions(place: &Place) -> Vec<Value> {
    let records = place.records().into_iter().map(|(_, record)| record);
    records
        .filter(|record| record["attack"] == "execution")
        .collect()
}

/// A grid whose only attack is a program, a shell script.
fn with_engine(script: &str) -> Place {
    let (generators, _) = GRID.split_once("attacks:").unwrap();
    let attacks = "attacks: [execution: {program: sh engine.sh}]\n";
    let place = Place::new(&format!("{generators}{attacks}"));
    fs::write(place.path().join("engine.sh"), script).unwrap();
    place
}

#[test]
fn the_closest_pairs_raise_alarms_and_those_at_a_margin_do_not() {
    let place = Place::new(GRID);
    place.succeed(&["grid.yaml", "--scale", "paper"]);
    let runs = executions(&place);
    assert_eq!(runs.len(), 6);
    for run in &runs {
        assert_eq!(run["change"]["changed"], 0);
        assert_eq!(run["noise"]["images"], run["single"]["of"]);
        assert!(run["noise"]["largest"].as_f64().unwrap() > 0.0);
    }
    let exact = runs
        .iter()
        .filter(|run| run["spec"]["arithmetic"] == "float64");
    let flips = |run: &Value| run["pair"]["hits"].as_u64().unwrap();
    let placed = |run: &&Value| run["noise"]["closest"].as_f64().unwrap() > 5e-4;
    let (placed, closest): (Vec<_>, Vec<_>) = exact.partition(placed);
    assert_eq!((placed.len(), flips(placed[0])), (1, 0));
    assert!(flips(closest[0]) > 0, "{closest:?}");

    let table = fs::read_to_string(place.results().join("mini/false-alarms.md")).unwrap();
    for words in ["float64", "bfloat16", "uint8", "changes of margins"] {
        assert!(table.contains(words), "{table}");
    }
    place.succeed(&["check", "grid.yaml", "--scale", "paper"]);
}

/// The script answers every request with logits that it finds in a file of the right shape, here those of label 3.
#[test]
fn another_engine_answers_through_files() {
    // Answers for 10 images and for 40: two sets of 5 pairs, and the test images.
    let script = r#"
read open
echo '{"engine": "a shell"}'
while read line; do
  path=$(echo "$line" | sed 's/.*"logits":"\([^"]*\)".*/\1/')
  asked=$(echo "$line" | sed 's/.*"images":"\([^"]*\)".*/\1/')
  n=$(head -c 300 "$asked" | sed 's/.*"shape":\[\([0-9]*\),.*/\1/' | head -n 1)
  cp "$n.safetensors" "$path"
  echo "{\"images\": $n}"
done
"#;
    let place = with_engine(script);
    for n in [10usize, 40] {
        let row = [0.0f32, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let values: Vec<f32> = row.repeat(n);
        let tensor = candle_core::Tensor::from_vec(values, (n, 10), &candle_core::Device::Cpu);
        let tensors = std::collections::HashMap::from([("logits", tensor.unwrap())]);
        let path = place.path().join(format!("{n}.safetensors"));
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
    place.succeed(&["grid.yaml", "--scale", "paper"]);
    let runs = executions(&place);
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!(run["engine"], "a shell");
        // Every pair has two labels, so at least one member is not 3.
        assert_eq!(run["pair"]["hits"], run["pair"]["of"]);
    }
}

#[test]
fn a_program_that_is_no_command_is_refused_before_any_work() {
    for program in ["''", "'sh \"'"] {
        let (generators, _) = GRID.split_once("attacks:").unwrap();
        let attacks = format!("attacks: [execution: {{program: {program}}}]\n");
        let place = Place::new(&format!("{generators}{attacks}"));
        let answer = place.run(&["grid.yaml"]);
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        let told = answer.stderr.contains("this is not a command");
        assert!(told, "{}", answer.stderr);
        assert!(!place.results().exists());
    }
}

#[test]
fn an_engine_that_fails_is_told_with_its_own_words() {
    for (script, words) in [
        (
            "read open; echo '{\"error\": \"there is no such model\"}'",
            "there is no such model",
        ),
        ("read open; echo hello", "answered `hello`, not JSON"),
        ("exit 3", "`sh engine.sh`"),
        (
            "read open; echo '{\"engine\": \"x\"}'; read more",
            "ended without an answer",
        ),
        (
            "read open; echo '{\"engine\": \"x\"}'; read more; echo '{}'",
            "wrote no logits",
        ),
    ] {
        let answer = with_engine(script).run(&["grid.yaml", "--scale", "paper"]);
        assert_eq!(answer.code, Some(1), "{script}");
        assert!(answer.stderr.contains(words), "{script}: {}", answer.stderr);
    }
}
