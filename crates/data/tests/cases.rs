//! Damaged and hostile Parquet files, in a folder `cases` beside the data folder in BRINK_DATA. Each must give the expected
//! message, and must not make the reader allocate the memory that it claims. Without the folder the test is skipped, and says so.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use brink_data::{Id, open};

/// The folder of the cases, if there is one.
fn cases() -> Option<PathBuf> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from);
    let cases = root.map(|root| root.join("../cases/parquet"));
    let found = cases.filter(|cases| cases.is_dir());
    if found.is_none() {
        let line = "skipped: damaged Parquet files. Set BRINK_DATA to a data folder with a folder `cases` beside it\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// The message for a file in place of CIFAR-10's training images. A file `jpeg_*` takes the place of the JPEG copy's images.
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
    let (fault, way_out) = fault.split_once(". To get it again, ").unwrap();
    assert!(
        way_out.starts_with(id.info().how_to_get),
        "{name}: {way_out}"
    );
    fault.to_owned()
}

/// The peak memory of this process in MiB; 0 if the system does not say.
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
    // One file claims 20,000 x 20,000 pixels, another a colour profile of 64 GiB.
    let taken = most_memory() - before;
    assert!(taken < 100, "{taken} MiB");
    insta::assert_snapshot!(said);
}
