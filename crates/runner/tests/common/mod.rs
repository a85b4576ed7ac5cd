//! A miniature of the main job: a small network, few images and few iterations, but every kind of step.

#![allow(dead_code)] // each test file uses its own part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const GRID: &str = "\
name: mini
title: A miniature
reports: [table3]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    train: {epochs: 1, images: 300, batch: 50}
    test_images: 100
generators:
  - validset: {samples: 6}
  - dbi: {samples: 6, stage1: {iterations: 12}}
  - aid: {samples: 6, stage1: {iterations: 12}}
  - ours: {samples: 6, stage1: {iterations: 12}, stage2: {alpha: 0.01, iterations: 200}}
attacks:
  - finetune: {lr: [0, 1e-5, 1e-3], steps: 3, batch: 20}
attack_seeds: 2
";

/// Steps that leave a record: a target, four sets, and five runs of each set. Two rates have two seeds, rate 0 has one.
pub const STEPS: usize = 1 + 4 + (2 * 2 + 1) * 4;

/// A folder with a grid file in it.
pub struct Place(TempDir);

impl Place {
    pub fn new(grid: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("grid.yaml"), grid).unwrap();
        Self(folder)
    }

    /// Copies all files to a new folder.
    pub fn copy(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        walk(self.path(), &mut |path| {
            let to = copy.path().join(path.strip_prefix(self.path()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(path, to).unwrap();
        });
        fs::create_dir_all(copy.path().join("results/store/state")).unwrap();
        Self(copy)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn results(&self) -> PathBuf {
        self.path().join("results")
    }

    /// A command that runs the program in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.here(Command::new(env!("CARGO_BIN_EXE_runner")), arguments)
    }

    /// The same command, run by a shell with `redirections`.
    pub fn redirected(&self, redirections: &str, arguments: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirections}")]);
        shell.arg(env!("CARGO_BIN_EXE_runner"));
        self.here(shell, arguments)
    }

    fn here(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.current_dir(self.path()).args(arguments);
        for variable in ["BRINK_DATA", "BRINK_KEY"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::new(&self.command(arguments).output().unwrap())
    }

    /// Runs the program, which must succeed.
    pub fn succeed(&self, arguments: &[&str]) -> Answer {
        let answer = self.run(arguments);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        answer
    }

    /// All records by path, without their times, which differ between runs.
    pub fn records(&self) -> Vec<(String, Value)> {
        let mut records = Vec::new();
        walk(&self.results().join("store"), &mut |path| {
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                // The checksum covers the times.
                record.as_object_mut().unwrap().remove("sha256");
                for field in ["started", "seconds"] {
                    record["provenance"]
                        .as_object_mut()
                        .unwrap()
                        .remove(field)
                        .unwrap();
                }
                records.push((self.name(path), record));
            }
        });
        records.sort_by(|a, b| a.0.cmp(&b.0));
        records
    }

    /// The bytes of all weights and samples, by path.
    pub fn payloads(&self) -> Vec<(String, Vec<u8>)> {
        let mut payloads = Vec::new();
        walk(&self.results().join("store"), &mut |path| {
            if path
                .extension()
                .is_some_and(|extension| extension == "safetensors")
            {
                payloads.push((self.name(path), fs::read(path).unwrap()));
            }
        });
        payloads.sort();
        payloads
    }

    /// The number of saved states, without those still being written.
    pub fn states(&self) -> usize {
        let mut states = 0;
        walk(&self.results().join("store/state"), &mut |path| {
            states += usize::from(!self.name(path).contains(".partial-"));
        });
        states
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.path())
            .unwrap()
            .display()
            .to_string()
    }
}

pub fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

/// Sends the signal of this name (`INT`, `TERM`).
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(kill.unwrap().success());
}

/// The content of a record.
pub fn parsed(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Edits a record and corrects its checksum.
pub fn edit(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut record = parsed(path);
    record.as_object_mut().unwrap().shift_remove("sha256");
    edit(&mut record);
    let text = serde_json::to_string_pretty(&record).unwrap();
    let fields = text.strip_suffix("\n}").unwrap();
    let sum = hex(fields.as_bytes());
    fs::write(path, format!("{fields},\n  \"sha256\": \"{sum}\"\n}}\n")).unwrap();
}

/// The SHA-256 of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The exit code and the output of the program.
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn new(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}
