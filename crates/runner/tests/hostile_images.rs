//! Hostile images, in a folder `cases` beside the data folder in BRINK_DATA, among good ones. With each the program ends soon, takes
//! little memory, and reads the set or refuses it by name. Without the folder the test is skipped, and says so.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Answer, Place};
use image::{Rgb, RgbImage};

const GRID: &str = "\
name: mine
title: Photographs
reports: [attacks]
key: {passphrase: test}
targets: [{dataset: {folder: photographs, size: 32}, model: resnet20, train: {epochs: 1}}]
generators: [validset: {samples: 2}]
attacks: [identity]
";

/// The limits for one file.
const TIME: Duration = Duration::from_secs(10);
const MEMORY: u64 = 2 << 30;

fn cases() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from)?;
    let files = fs::read_dir(root.join("../cases/images")).ok()?;
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}

/// The most memory that the process has had so far, in bytes; 0 if the system does not say.
fn most(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// Plans the grid, which reads all its images.
fn plan(place: &Place, name: &str) -> Answer {
    let began = Instant::now();
    let mut command = place.command(&["plan", "grid.yaml", "--data", "data"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut taken = 0;
    while child.try_wait().unwrap().is_none() {
        taken = taken.max(most(child.id()));
        if began.elapsed() > TIME {
            child.kill().unwrap();
            panic!("{name}: it runs for more than {TIME:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(taken < MEMORY, "{name}: {taken} bytes");
    Answer::new(&child.wait_with_output().unwrap())
}

fn good(folder: &Path) {
    for class in ["a", "b"] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..4 {
            let shade = |x, y| Rgb([(x * y + number) as u8, x as u8, y as u8]);
            let path = folder.join(class).join(format!("{number}.png"));
            RgbImage::from_fn(32, 32, shade).save(path).unwrap();
        }
    }
}

#[test]
fn each_ends_within_the_limits() {
    let Some(files) = cases() else {
        eprintln!(
            "skipped: hostile images. Set BRINK_DATA to a data folder with a folder `cases` beside it"
        );
        return;
    };
    assert!(!files.is_empty());
    let mut refused = 0;
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let place = Place::new(GRID);
        let folder = place.path().join("data/photographs");
        good(&folder);
        fs::copy(file, folder.join("b").join(name)).unwrap();
        let answer = plan(&place, name);
        match answer.code {
            Some(0) => assert!(
                answer.stdout.contains("dataset-resnet20"),
                "{}",
                answer.stdout
            ),
            Some(2) => {
                assert!(answer.stderr.contains(name), "{name}: {}", answer.stderr);
                refused += 1;
            }
            other => panic!("{name}: {other:?}: {}", answer.stderr),
        }
    }
    assert!(refused > 0, "none of {} is refused", files.len());
}
