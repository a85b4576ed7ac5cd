//! Folders of images as people leave them: odd names, links, folders in folders, files that are none. Each must be read in the right
//! shape, or refused with a message.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use brink_config::checked::Edge;
use brink_data::{Own, Place, open_own};
use brink_random::Stream;

/// Two classes of three images each.
fn folder(root: &Path) {
    for class in ["a", "b"] {
        let folder = root.join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..3u32 {
            let shade = |x, y| image::Rgb([(x * y * 3 + number) as u8, x as u8, (9 * y) as u8]);
            let good = image::RgbImage::from_fn(8, 8, shade);
            good.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

/// All files and folders under `root`.
fn all(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

const NAMES: [&str; 9] = [
    "train",
    "test",
    ".hidden",
    "Thumbs.db",
    "c",
    "\u{202e}gnp.exe",
    " ",
    "line\nbreak",
    "0.png",
];

/// One change to the folder. Some are impossible, and change nothing.
fn change(root: &Path, dice: &mut Stream) {
    let paths = all(root);
    if paths.is_empty() {
        return;
    }
    let pick = |dice: &mut Stream| paths[dice.below(paths.len())].clone();
    let (at, other) = (pick(dice), pick(dice));
    let named = at.with_file_name(NAMES[dice.below(NAMES.len())]);
    let _ = match dice.below(8) {
        0 => fs::rename(&at, &named),
        1 => fs::create_dir_all(at.join("c")),
        2 => fs::create_dir(&named),
        3 => fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at)),
        4 => fs::read(&at).and_then(|bytes| fs::write(&at, fuzz::damaged(&bytes, dice))),
        5 => fs::rename(&at, other.join("moved")),
        6 => link(&other, &named),
        _ => socket(&named),
    };
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(unix)]
fn socket(at: &Path) -> std::io::Result<()> {
    std::os::unix::net::UnixListener::bind(at).map(drop)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn socket(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[test]
fn fuzz() {
    let (mut read, mut all) = (0, 0);
    for mut dice in fuzz::rounds(500) {
        let root = tempfile::tempdir().unwrap();
        folder(root.path());
        for _ in 0..=dice.below(4) {
            change(root.path(), &mut dice);
        }
        let own = Own {
            place: Place::Folder(root.path().into()),
            size: (dice.below(2) == 0).then(|| Edge::literal(8)),
            test: None,
        };
        all += 1;
        let began = Instant::now();
        match open_own(&own, None) {
            Ok(set) => {
                let facts = set.dataset.facts;
                assert_eq!(facts.shape[0], 3);
                assert_eq!(set.dataset.train.len(), facts.train);
                assert!(facts.classes >= 2 && facts.train + facts.test >= facts.classes);
                read += 1;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(!message.is_empty() && message.len() < 2000, "{message}");
            }
        }
        let taken = began.elapsed();
        assert!(taken.as_secs() < 5, "{taken:?}");
    }
    // Otherwise the damage would be too weak, or always caught at the first entry.
    assert!(0 < read && read < all, "{read} of {all}");
}
