//! Damaged and hostile files, which lie beside the folder that BRINK_DATA names: each gives the one message that is right,
//! and none takes memory for what it claims. Without them the test says that it was skipped.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use data::{Id, open};

/// The folder of the cases, if there is one.
fn cases() -> Option<PathBuf> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from);
    let cases = root.map(|root| root.join("../cases/parquet"));
    let found = cases.filter(|cases| cases.is_dir());
    if found.is_none() {
        let line =
            "skipped: damaged Parquet files. BRINK_DATA names no folder with `cases` beside it\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// What is said about a file that stands for the training images of CIFAR-10: the original, or of a file of JPEG images the copy.
fn message(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    let id = match name.starts_with("jpeg_") {
        true => Id::Cifar10Jpeg,
        false => Id::Cifar10,
    };
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cifar10");
    fs::create_dir(&folder).unwrap();
    let shard = folder.join("train-00000-of-00001.parquet");
    fs::copy(file, &shard).unwrap();
    let message = open(id, Some(root.path())).unwrap_err().to_string();
    let fault = message.strip_prefix(&format!("{}: ", shard.display()));
    let fault = fault.unwrap_or_else(|| panic!("{name}: the file is not named: {message}"));
    let (fault, way_out) = fault.split_once(". To get it anew, ").unwrap();
    assert!(
        way_out.starts_with(id.info().how_to_get),
        "{name}: {way_out}"
    );
    fault.to_owned()
}

/// The most memory that this process has had, in MiB, where the system tells.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

#[test]
fn every_damaged_file_gets_its_message() {
    let Some(cases) = cases() else { return };
    let files = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    let before = most_memory();
    let mut said = String::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        writeln!(said, "{name}: {}", message(file)).unwrap();
    }
    // One of them claims 20,000 x 20,000 pixels, one 64 GiB of colour profile.
    let taken = most_memory() - before;
    assert!(taken < 100, "{taken} MiB");
    insta::assert_snapshot!(said);
}
