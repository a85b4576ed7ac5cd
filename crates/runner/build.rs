//! Passes the provenance of numbers to the program: the commit, and the versions of the crates that compute.

use std::{env, fs, path::Path, process::Command};

/// Crates whose version can change a number.
const COMPUTE: [&str; 4] = ["candle-core", "libm", "rand_chacha", "rayon"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in [".git/logs/HEAD", "Cargo.lock", "crates"] {
        let path = root.join(file);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let git = |arguments: &[&str]| {
        let out = Command::new("git")
            .args(arguments)
            .current_dir(&root)
            .output();
        let out = out.ok().filter(|out| out.status.success())?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        let same = git(&["diff", "--quiet", "HEAD", "--", "crates", "Cargo.lock"]).is_some();
        let changed = if same { "" } else { ", changed since" };
        println!("cargo::rustc-env=BRINK_GIT={commit}{changed}");
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    println!(
        "cargo::rustc-env=BRINK_CRATES={}",
        versions(&lock).join(" ")
    );
}

/// `name=version` for each crate of [`COMPUTE`], from the text of `Cargo.lock`.
fn versions(lock: &str) -> Vec<String> {
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ") else {
            continue;
        };
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = "))
            .unwrap_or_default();
        let (name, version) = (name.trim_matches('"'), version.trim_matches('"'));
        if COMPUTE.contains(&name) {
            found.push(format!("{name}={version}"));
        }
    }
    found
}
