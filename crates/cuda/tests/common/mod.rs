//! The stand-in for NVIDIA's driver library: the kernels, compiled for this machine's CPU. Tests of other crates use this file as well.

#![allow(dead_code)] // each test file uses its own part

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// More options for the compiler, e.g. sanitizers.
const FLAGS: &str = "BRINK_FAKE_CUDA_FLAGS";

/// The library. `None`, with a word, if there is no C++ compiler.
pub fn library() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || compile(&here().join("kernels"), "-O2");
    MADE.get_or_init(make).clone()
}

/// The folder of the crate `brink-cuda`.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("cuda")
}

/// Compiles the kernels in `kernels`. The library stays in a folder of its own, under the name that the system looks for.
pub fn compile(kernels: &Path, optimise: &str) -> Option<PathBuf> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        println!("skipped: there is no C++ compiler `{compiler}`");
        return None;
    }
    let library = tempfile::tempdir().unwrap().keep().join("libcuda.so.1");
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", optimise, "-ffp-contract=off", "-fPIC"]);
    // Several libraries may be loaded: their symbols must not meet.
    command.args(["-shared", "-pthread", "-fvisibility=hidden"]);
    if cfg!(target_arch = "x86_64") {
        command.arg("-march=native");
    }
    command.args(["-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function"]);
    if let Ok(flags) = std::env::var(FLAGS) {
        command.args(flags.split_whitespace());
    }
    let source = kernels.join("kernels.cu");
    command.arg(format!("-DKERNELS=\"{}\"", source.display()));
    command.arg(here().join("shim/driver.cpp"));
    let answer = command.arg("-o").arg(&library).output().unwrap();
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{said}");
    Some(library)
}
