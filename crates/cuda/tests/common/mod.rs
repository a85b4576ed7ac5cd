//! The stand-in for NVIDIA's driver library: the kernels, compiled for this machine's CPU.

#![allow(dead_code)] // each test file uses its own part

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// More options for the compiler, e.g. sanitizers.
const FLAGS: &str = "BRINK_FAKE_CUDA_FLAGS";

/// The library. `None`, with a word, if there is no C++ compiler.
pub fn library() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| compile(&here().join("kernels"), "libcuda.so.1")).clone()
}

pub fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles the kernels in `kernels` as the library `name`.
pub fn compile(kernels: &Path, name: &str) -> Option<PathBuf> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        println!("skipped: there is no C++ compiler `{compiler}`");
        return None;
    }
    let folder = tempfile::tempdir().unwrap().keep();
    let library = folder.join(name);
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-pthread"]);
    if cfg!(target_arch = "x86_64") {
        command.arg("-march=native");
    }
    command.args(["-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function"]);
    if let Ok(flags) = std::env::var(FLAGS) {
        command.args(flags.split_whitespace());
    }
    command.arg(format!("-DKERNELS=\"{}\"", kernels.join("kernels.cu").display()));
    command.arg(here().join("shim/driver.cpp")).arg("-o").arg(&library);
    let answer = command.output().unwrap();
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    Some(library)
}
