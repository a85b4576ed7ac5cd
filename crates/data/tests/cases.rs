//! Damaged and hostile Parquet files and images, in a folder `cases` beside the data folder in BRINK_DATA. Each must give the expected
//! message, and must not make the reader allocate the memory that it claims. Without the folder the tests are skipped, and say so.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use brink_config::checked::Edge;
use brink_data::{Id, Own, Place, open, open_own};

/// The files in the folder `kind` of the cases, sorted by name, if there is one.
fn cases(kind: &str) -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from);
    let cases = root.map(|root| root.join("../cases").join(kind));
    let found = cases.filter(|cases| cases.is_dir());
    if found.is_none() {
        let line = "skipped: damaged files. Set BRINK_DATA to a data folder with a folder `cases` beside it\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    let files = fs::read_dir(found?).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
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
    let Some(files) = cases("parquet") else {
        return;
    };
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

/// What the reader of one's own images says about a set in `root`.
fn own(place: Place, size: Option<usize>, root: &Path) -> String {
    let size = size.map(Edge::literal);
    let own = Own {
        place,
        size,
        test: None,
    };
    let began = Instant::now();
    let said = match open_own(&own, Some(root)) {
        Ok(set) => {
            let facts = set.dataset.facts;
            let [_, height, width] = facts.shape;
            let (images, classes) = (facts.train + facts.test, facts.classes);
            format!("{images} images of {width}x{height}, {classes} classes")
        }
        Err(error) => error.to_string(),
    };
    let taken = began.elapsed();
    assert!(taken.as_secs() < 5, "{taken:?}: {said}");
    said.replace(&format!("{}/", root.display()), "")
}

/// As a set of one's own, a Parquet file may hold images of any encoding, but nothing unclear.
#[test]
fn every_file_as_a_set_of_ones_own_is_read_or_gets_its_message() {
    let Some(files) = cases("parquet") else {
        return;
    };
    let before = most_memory();
    let mut said = String::new();
    for file in &files {
        let place = Place::Parquet {
            file: file.file_name().unwrap().into(),
            image: "img".to_owned(),
            label: "label".to_owned(),
        };
        writeln!(said, "{}", own(place, None, file.parent().unwrap())).unwrap();
    }
    let taken = most_memory() - before;
    assert!(taken < 100, "{taken} MiB");
    insta::assert_snapshot!(said);
}

/// Each image in a folder with good ones.
#[test]
fn every_image_is_read_or_gets_its_message() {
    let Some(files) = cases("images") else { return };
    let mut said = String::new();
    for file in &files {
        let root = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            let folder = root.path().join(class);
            fs::create_dir(&folder).unwrap();
            for number in 0..4 {
                let shade = |x, y| image::Rgb([(x * y + number) as u8, x as u8, y as u8]);
                let good = image::RgbImage::from_fn(32, 32, shade);
                good.save(folder.join(format!("{number}.png"))).unwrap();
            }
        }
        fs::copy(file, root.path().join("b").join(file.file_name().unwrap())).unwrap();
        let place = Place::Folder(root.path().into());
        let name = file.file_name().unwrap().to_str().unwrap();
        writeln!(said, "{name}: {}", own(place, Some(32), root.path())).unwrap();
    }
    insta::assert_snapshot!(said);
}
