//! One example for all tests, servers of it, and the program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

/// What `brink example` writes.
static EXAMPLE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let answer = run(folder.path(), &["example", "example"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    folder
});

/// A file of the example.
pub fn example(name: &str) -> PathBuf {
    EXAMPLE.path().join("example").join(name)
}

/// What the program said.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command in `folder` with an owner's passphrase and keys, and without those of whoever runs the tests.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brink"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("BRINK_PASSPHRASE", "a passphrase of the test")
        .env("BRINK_KEYS", folder.join("keys"))
        .env_remove("BRINK_KEY");
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Answer {
    finished(command(folder, arguments))
}

pub fn finished(command: Command) -> Answer {
    let output = assert_cmd::Command::from(command).output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `brink serve`.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    /// Serves weights of the example, which answer with labels, logits or probabilities.
    pub fn new(weights: &str, answers: &str) -> Self {
        let weights = example(weights);
        let mut child = command(
            EXAMPLE.path(),
            &[
                "serve",
                "--weights",
                weights.to_str().unwrap(),
                "--model",
                "resnet20",
                "--shape",
                "3x32x32",
                "--answers",
                answers,
                "--bind",
                "127.0.0.1:0",
            ],
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.trim_end().rsplit(' ').next().unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        Self {
            child,
            url: url.to_owned(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with the user alice and, if a server is given, a mark of it.
pub struct Owner(TempDir);

impl Owner {
    pub fn new() -> Self {
        let owner = Self(tempfile::tempdir().unwrap());
        let answer = owner.run(&["keys", "add", "alice"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        owner
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        run(self.path(), arguments)
    }

    /// Protects a server with few pairs, whose seed is fixed.
    pub fn protect(&self, url: &str, more: &[&str]) -> Answer {
        let photos = example("photos");
        let fixed = [
            "protect",
            "--url",
            url,
            "--images",
            photos.to_str().unwrap(),
            "--shape",
            "3x32x32",
            "--user",
            "alice",
            "--seed",
            "1",
        ];
        self.run(&[&fixed[..], more].concat())
    }

    pub fn verify(&self, url: &str, more: &[&str]) -> Answer {
        let fixed = ["verify", "model.brink", "--seed", "2", "--url", url];
        self.run(&[&fixed[..], more].concat())
    }
}
