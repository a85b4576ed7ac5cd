//! The miniature "on a GPU": the program loads a stand-in for NVIDIA's driver library, which runs the kernels on the CPU.

mod common;
#[path = "../../cuda/tests/common/mod.rs"]
mod fake;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use common::{Answer, GRID, Place, walk};

/// Fewer and shorter steps than the miniature has, but one attack more: the stand-in takes its time.
fn grid() -> String {
    let mut grid = GRID.to_owned();
    for (from, to) in [
        ("lr: [0, 1e-5, 1e-3]", "lr: [1e-3]"),
        (
            "steps: 3, batch: 20}",
            "steps: 3, batch: 12}\n  - backdoor: {poisoned: 3, batch: 9, max_steps: 4, check_every: 2}",
        ),
        (
            "train: {epochs: 1, images: 300, batch: 50}",
            "width: 0.5\n    train: {epochs: 1, images: 60, batch: 20}",
        ),
        ("attack_seeds: 2", "attack_seeds: 1"),
        ("test_images: 100", "test_images: 30"),
        ("stage1: {iterations: 12}", "stage1: {iterations: 5}"),
        ("iterations: 200", "iterations: 60"),
    ] {
        assert!(grid.contains(from), "{from}");
        grid = grid.replace(from, to);
    }
    grid
}

/// Records of a target, four sets, and two runs of each set.
const STEPS: usize = 1 + 4 + 2 * 4;

/// The program where the stand-in is the system's driver. `None`, with a word, if it cannot be compiled.
struct Machine {
    folder: PathBuf,
}

impl Machine {
    fn new() -> Option<Self> {
        let library = fake::library()?;
        let folder = library.parent().unwrap().to_owned();
        Some(Self { folder })
    }

    fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let mut command = place.command(&[&["grid.yaml"], arguments].concat());
        command.env("LD_LIBRARY_PATH", &self.folder);
        command
    }

    fn succeed(&self, place: &Place, arguments: &[&str]) -> Answer {
        let answer = Answer::new(&self.command(place, arguments).output().unwrap());
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        answer
    }
}

/// All files of the results that do not tell where or when they were made: records without their provenance, weights and samples, tables.
fn content(place: &Place) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    walk(&place.results(), &mut |path: &Path| {
        let name = path.strip_prefix(place.path()).unwrap();
        let name = name.display().to_string();
        let bytes = std::fs::read(path).unwrap();
        if name.ends_with("record.json") {
            let mut record: Value = serde_json::from_slice(&bytes).unwrap();
            let fields = record.as_object_mut().unwrap();
            // The checksum covers the provenance.
            assert!(fields.remove("provenance").is_some());
            assert!(fields.remove("sha256").is_some());
            files.push((name, record.to_string().into_bytes()));
        } else if ["safetensors", "md", "csv", "tex"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            files.push((name, bytes));
        }
    });
    files.sort();
    files
}

fn devices(place: &Place) -> Vec<String> {
    let records = place.records().into_iter();
    let mut devices: Vec<String> = records
        .map(|(_, record)| record["provenance"]["device"].as_str().unwrap().to_owned())
        .collect();
    devices.sort();
    devices.dedup();
    devices
}

fn same(a: &Place, b: &Place) {
    let (a, b) = (content(a), content(b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect();
    let [a_names, b_names]: [Vec<String>; 2] = [names(&a), names(&b)];
    assert_eq!(a_names, b_names);
    for (a, b) in a.iter().zip(&b) {
        assert!(
            a.1 == b.1,
            "{} differs:\n{}\n{}",
            a.0,
            text(&a.1),
            text(&b.1)
        );
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(3000)]).into_owned()
}

#[test]
fn records_are_the_processors() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let [cpu, gpu, little] = [(); 3].map(|()| Place::new(&grid()));
    cpu.succeed(&["grid.yaml", "--device", "cpu"]);
    machine.succeed(&gpu, &["--device", "cuda"]);
    // Batches are cut to fit.
    machine.succeed(&little, &["--device", "cuda:1", "--gpu-memory", "12MiB"]);
    assert_eq!(cpu.records().len(), STEPS);
    assert_eq!(devices(&cpu), ["cpu"]);
    assert_eq!(devices(&gpu), ["cuda:0 Stand-in 0 (CUDA 13.0)"]);
    assert_eq!(devices(&little), ["cuda:1 Stand-in 1 (CUDA 13.0)"]);
    same(&cpu, &gpu);
    same(&cpu, &little);
}

/// Each worker takes a GPU of its own.
#[test]
fn workers_take_gpus_in_turn() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let [cpu, both, one] = [(); 3].map(|()| Place::new(&grid()));
    cpu.succeed(&["grid.yaml", "--device", "cpu"]);
    machine.succeed(&both, &["--workers", "2"]);
    let names = [0, 1].map(|gpu| format!("cuda:{gpu} Stand-in {gpu} (CUDA 13.0)"));
    assert_eq!(devices(&both), names);
    same(&cpu, &both);
    // Or all the one that is asked for.
    let few = ["--only", "*validset*", "--workers", "2"];
    machine.succeed(&one, &[&few[..], &["--device", "cuda:1"]].concat());
    assert_eq!(devices(&one), names[1..]);
}

/// A grid is begun on one device, stopped, and ended on the other.
#[test]
fn a_device_may_change_on_the_way() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let [whole, changed] = [(); 2].map(|()| Place::new(&grid()));
    whole.succeed(&["grid.yaml", "--device", "cpu"]);
    machine.succeed(&changed, &["--device", "cuda", "--only", "*dbi*"]);
    changed.succeed(&["grid.yaml", "--device", "cpu", "--only", "*aid*"]);
    machine.succeed(&changed, &["--device", "auto"]);
    assert_eq!(devices(&changed), ["cpu", "cuda:0 Stand-in 0 (CUDA 13.0)"]);
    same(&whole, &changed);
    // All is done, whatever the device.
    changed.succeed(&["grid.yaml", "--device", "cpu"]);
    same(&whole, &changed);
}

/// It is killed in the middle of its sets, on the GPU, and goes on there or on the CPU.
#[test]
fn killed_runs_go_on() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let only = ["--only", "*/ours", "--save-every", "1"];
    let whole = Place::new(&grid());
    whole.succeed(&[&["grid.yaml", "--device", "cpu"], &only[..]].concat());
    let place = Place::new(&grid());
    let (mut half_way, mut ends) = (0, false);
    for turn in 0..40 {
        let device = if turn % 3 == 2 { "cpu" } else { "cuda" };
        let mut command = machine.command(&place, &[&["--device", device], &only[..]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // The first one is killed as soon as it has saved a state.
        while place.states() == 0 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(200 * turn));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            ends = true;
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        half_way += place.states();
    }
    assert!(ends && half_way > 0, "{half_way} states");
    // Tables name the command of the last run, so that must be the same.
    place.succeed(&[&["grid.yaml", "--device", "cpu"], &only[..]].concat());
    same(&whole, &place);
}

/// A GPU with other bits is not used.
#[test]
fn a_wrong_gpu_is_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let place = Place::new(&grid());
    let run = |arguments: &[&str]| {
        let mut command = machine.command(&place, arguments);
        command.env("BRINK_FAKE_CUDA_WRONG", "product_f32_32_4");
        Answer::new(&command.output().unwrap())
    };
    let answer = run(&["--device", "cuda"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let start = "error: --device cuda: the GPU does not compute the CPU's bits: ";
    assert!(answer.stderr.starts_with(start), "{}", answer.stderr);
    assert!(!place.results().exists(), "it began to work");
    // Workers are refused one by one, and the command says it once.
    let answer = run(&["--device", "cuda", "--workers", "2"]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert_eq!(place.records(), []);
    let last = answer.stderr.lines().last().unwrap();
    assert!(last.starts_with(start), "{}", answer.stderr);
    assert_eq!(answer.stderr.matches("error: ").count(), 1);
    let answer = run(&["--only", "*validset*"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let warning = "GPU 0 is not used: the GPU does not compute the CPU's bits";
    assert!(answer.stderr.contains(warning), "{}", answer.stderr);
    assert_eq!(devices(&place), ["cpu"]);
}

/// Its worker uses the CPU instead, and says so.
#[test]
fn one_of_two_gpus_may_be_wrong() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let [cpu, place] = [(); 2].map(|()| Place::new(&grid()));
    let only = ["--only", "*validset*"];
    cpu.succeed(&[&["grid.yaml", "--device", "cpu"], &only[..]].concat());
    let mut command = machine.command(&place, &[&["-q", "--workers", "2"], &only[..]].concat());
    command.env("BRINK_FAKE_CUDA_WRONG", "product_f32_32_4:1");
    let answer = Answer::new(&command.output().unwrap());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let warning = "WARNING: GPU 1 is not used: the GPU does not compute the CPU's bits";
    assert_eq!(
        answer.stderr.matches(warning).count(),
        1,
        "{}",
        answer.stderr
    );
    assert_eq!(
        answer.stderr.matches("not used").count(),
        1,
        "{}",
        answer.stderr
    );
    let right = ["cpu", "cuda:0 Stand-in 0 (CUDA 13.0)"];
    let devices = devices(&place);
    assert!(
        devices.iter().all(|name| right.contains(&&**name)),
        "{devices:?}"
    );
    // Tables name the command of the last run, so that must be the same.
    place.succeed(&[&["grid.yaml", "--device", "cpu"], &only[..]].concat());
    same(&cpu, &place);
}

#[test]
fn what_a_gpu_may_lack() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let place = Place::new(&grid());
    let refused = |arguments: &[&str], variable: &str, value: &str| {
        let mut command = machine.command(&place, arguments);
        let answer = Answer::new(&command.env(variable, value).output().unwrap());
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(!place.results().exists(), "it began to work");
        answer.stderr
    };
    let said = refused(&["--device", "cuda:1"], "BRINK_FAKE_CUDA_DEVICES", "1");
    let there = "error: --device cuda:1: there is no GPU 1; this machine has 1, counted from 0; use --device cpu\n";
    assert_eq!(said, there);
    let workers = ["--device", "cuda:1", "--workers", "2"];
    let said = refused(&workers, "BRINK_FAKE_CUDA_DEVICES", "1");
    assert_eq!(said, there);
    let said = refused(&["--device", "cuda"], "BRINK_FAKE_CUDA_DEVICES", "0");
    let none = "error: --device cuda: no NVIDIA driver: it finds no GPU; use --device cpu\n";
    assert_eq!(said, none);
    let said = refused(&["--device", "cuda"], "BRINK_FAKE_CUDA_MEMORY", "100000");
    assert!(said.contains("GPU memory: "), "{said}");
}
