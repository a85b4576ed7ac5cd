//! The owner's network "on a GPU": the program loads a stand-in for NVIDIA's driver library, which runs the kernels on the CPU.

use std::path::PathBuf;
use std::process::Command;

use brink_keys::Signer;

use crate::common::{Answer, Owner, command, example, finished};
use crate::fake;

/// An owner whose machine has two GPUs. `None`, with a word, if the stand-in cannot be compiled.
struct Machine {
    owner: Owner,
    driver: PathBuf,
}

impl Machine {
    fn new() -> Option<Self> {
        let driver = fake::library()?.parent().unwrap().to_owned();
        let owner = Owner::new();
        Some(Self { owner, driver })
    }

    /// A command about weights of the example.
    fn command(&self, weights: &str, arguments: &[&str]) -> Command {
        let weights = example(weights);
        let model = [
            "--weights",
            weights.to_str().unwrap(),
            "--model",
            "resnet20",
        ];
        let mut command = command(self.owner.path(), &[arguments, &model].concat());
        command.env("LD_LIBRARY_PATH", &self.driver);
        command
    }

    fn run(&self, weights: &str, arguments: &[&str]) -> Answer {
        finished(self.command(weights, arguments))
    }

    fn protect(&self, arguments: &[&str]) -> Answer {
        let photos = example("photos");
        let fixed = [
            "protect",
            "--images",
            photos.to_str().unwrap(),
            // The stand-in takes its time.
            "--shape",
            "3x12x12",
            "--user",
            "alice",
            "--seed",
            "1",
        ];
        let few = [
            "--pairs",
            "12",
            "--false-alarms",
            "0.05",
            "--change",
            "0.5",
            "--miss",
            "0.2",
        ];
        let made = self.run("mine.safetensors", &[&fixed[..], &few, arguments].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        made
    }

    /// The bytes of a mark, as if it had been made at another time and signed again.
    fn mark(&self, name: &str) -> Vec<u8> {
        let mut mark = brink_owner::read(&self.owner.path().join(name))
            .unwrap()
            .mark;
        mark.about.created = String::new();
        mark.to_bytes(&Signer::from_hex(&"07".repeat(32)).unwrap())
            .unwrap()
    }
}

#[test]
fn marks_and_verdicts_are_the_processors() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let cpu = machine.protect(&["--out", "cpu.brink", "--device", "cpu"]);
    assert!(!cpu.stderr.contains("computing on"), "{cpu:?}");
    // Batches are cut to fit.
    let gpu = machine.protect(&[
        "--out",
        "gpu.brink",
        "--device",
        "cuda:1",
        "--gpu-memory",
        "12MiB",
    ]);
    let name = "computing on cuda:1 Stand-in 1 (CUDA 13.0)\n";
    assert!(gpu.stderr.contains(name), "{gpu:?}");
    let said = |answer: &Answer| answer.stdout.replace("gpu.brink", "cpu.brink");
    assert_eq!(said(&cpu), said(&gpu));
    assert!(machine.mark("cpu.brink") == machine.mark("gpu.brink"));

    for (weights, code) in [("mine.safetensors", 0), ("changed.safetensors", 1)] {
        let verify = |mark: &str, more: &[&str]| {
            let fixed = ["verify", mark, "--seed", "2", "--json"];
            let found = machine.run(weights, &[&fixed[..], more].concat());
            assert_eq!(found.code, code, "{found:?}");
            found
        };
        // A mark that one device made is verified on the other one.
        let cpu = verify("gpu.brink", &["--device", "cpu"]);
        let gpu = verify("cpu.brink", &[]);
        assert!(
            gpu.stderr.contains("computing on cuda:0 Stand-in 0"),
            "{gpu:?}"
        );
        assert_eq!(cpu.stdout, gpu.stdout);
    }
}

#[test]
fn a_wrong_gpu_is_refused_or_not_used() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let watch = |more: &[&str]| {
        let fixed = [
            "watch",
            "cpu.brink",
            "--journal",
            "watch.jsonl",
            "--every",
            "10ms",
        ];
        let twice = [&fixed[..], &["--times", "2"], more].concat();
        let mut command = machine.command("mine.safetensors", &twice);
        command.env("BRINK_FAKE_CUDA_WRONG", "product_f32_32_4");
        finished(command)
    };
    machine.protect(&["--out", "cpu.brink", "--device", "cpu"]);
    let refused = watch(&["--device", "cuda"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let start = "error: --device cuda: the GPU does not compute the CPU's bits: ";
    assert!(refused.stderr.starts_with(start), "{refused:?}");
    let unused = watch(&[]);
    assert_eq!(unused.code, 0, "{unused:?}");
    let warning = "GPU 0 is not used: the GPU does not compute the CPU's bits: ";
    assert!(unused.stderr.starts_with(warning), "{unused:?}");
    assert_eq!(
        unused.stderr.lines().count(),
        1,
        "the device is opened once"
    );
}
