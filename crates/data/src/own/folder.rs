//! A folder with one folder of image files per class. The names of the classes, sorted by their bytes, give the labels.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use brink_config::checked::Edge;

use super::{Found, error, photographs, refused};
use crate::checksum::{Hasher, sha256};
use crate::{Error, Fault, Split, files};

/// The longest image file, in bytes.
const HEAVIEST: u64 = 1 << 27;

/// The classes of a folder, each with its files.
type Classes = Vec<(PathBuf, Vec<PathBuf>)>;

/// Reads the set in `folder`.
pub(super) fn read(folder: &Path, size: Option<Edge>) -> Result<Found, Error> {
    let parts = ["train", "test"].map(|part| folder.join(part));
    let (train, test) = match parts.each_ref().map(|part| part.is_dir()) {
        [true, true] => (classes(&parts[0])?, Some(classes(&parts[1])?)),
        [false, false] => (classes(folder)?, None),
        [train, _] => {
            let missing = &parts[usize::from(train)];
            let fix = "A set has both `train` and `test`, or neither.";
            return Err(error(missing, Fault::Missing, fix.to_owned()));
        }
    };
    if let Some(test) = &test {
        same_classes([folder, &parts[0], &parts[1]], [&train, test])?;
    }
    let (count, classes) = (files_of(&train).count(), train.len());
    let all: Vec<(u16, &PathBuf)> = files_of(&train)
        .chain(test.iter().flat_map(files_of))
        .collect();
    let sums = Mutex::new(vec![String::new(); all.len()]);
    let (pixels, shape) = photographs::decode(
        all.len(),
        size,
        |index| all[index].1,
        |index| {
            let bytes = files::whole(all[index].1, HEAVIEST)?;
            let sum = sha256(&bytes);
            sums.lock().unwrap_or_else(|held| held.into_inner())[index] = sum;
            Ok(bytes)
        },
    )?;
    let sums = sums.into_inner().unwrap_or_else(|held| held.into_inner());
    let mut hasher = Hasher::default();
    for ((_, path), sum) in all.iter().zip(&sums) {
        let name = path.strip_prefix(folder).unwrap_or(path);
        for part in name {
            // No name has this byte, so no two lists of names and sums are the same bytes.
            hasher.update(part.as_encoded_bytes());
            hasher.update(b"/");
        }
        hasher.update(sum.as_bytes());
        hasher.update(b"/");
    }
    let labels = all.iter().map(|(label, _)| *label).collect();
    let all = Split::new(shape, pixels, labels);
    let (train, test) = match test {
        Some(_) => {
            let rest: Vec<usize> = (count..all.len()).collect();
            (all.take(count), Some(all.select(&rest)))
        }
        None => (all, None),
    };
    Ok(Found {
        train,
        test,
        sha256: hasher.hex(),
        classes: Some(classes),
    })
}

/// The files of all classes with their labels.
fn files_of(classes: &Classes) -> impl Iterator<Item = (u16, &PathBuf)> {
    let labelled = (0..).zip(classes);
    labelled.flat_map(|(label, (_, files))| files.iter().map(move |file| (label, file)))
}

/// The classes in `folder`, and their files, both sorted by name.
fn classes(folder: &Path) -> Result<Classes, Error> {
    let mut classes = Vec::new();
    for class in entries(folder)? {
        if !class.is_dir() {
            let fix = "Put each image into the folder of its class, and other files elsewhere.";
            return Err(error(&class, Fault::NoFolder, fix.to_owned()));
        }
        let files = entries(&class)?;
        if files.is_empty() {
            let fix = "Put images in, or delete the folder.";
            return Err(error(&class, Fault::NoImages, fix.to_owned()));
        }
        if let Some(inner) = files.iter().find(|file| file.is_dir()) {
            let fix =
                "Put its images into the folder of the class: classes have no folders within.";
            return Err(error(inner, Fault::Nested, fix.to_owned()));
        }
        classes.push((class, files));
    }
    let found = classes.len();
    match found {
        2..=0x10000 => Ok(classes),
        _ => {
            let fix = "Make a folder for each of at least two classes.";
            Err(error(folder, Fault::Classes { found }, fix.to_owned()))
        }
    }
}

/// The paths in `folder`, sorted by name, without the files that systems leave there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let left = name.as_encoded_bytes().starts_with(b".");
            if !left && name != "Thumbs.db" && name != "desktop.ini" {
                paths.push(folder.join(name));
            }
        }
        paths.sort();
        Ok(paths)
    };
    read().map_err(|reason| refused(folder, reason.into()))
}

/// Refuses a class that only one of two parts has. `folders` are those of the set, of its training and of its test images.
fn same_classes(folders: [&Path; 3], parts: [&Classes; 2]) -> Result<(), Error> {
    for (own, other) in [(0, 1), (1, 0)] {
        for (class, _) in parts[own] {
            let twin = class.file_name().map(|name| folders[1 + other].join(name));
            if let Some(twin) = twin.filter(|twin| !parts[other].iter().any(|(at, _)| at == twin)) {
                let fix = "`train` and `test` must have the same classes.";
                return Err(error(&twin, Fault::Missing, fix.to_owned()));
            }
        }
    }
    Ok(())
}
