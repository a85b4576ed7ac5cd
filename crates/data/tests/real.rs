//! The sets that are too large to be embedded, read from the folder that BRINK_DATA names. What is not there cannot be
//! tested, and the tests say so.

use std::path::{Path, PathBuf};

use data::{Dataset, Id, Presence, Split, binary_records, find, open};

/// The data folder, if it is named and holds the set; else a line says what is skipped.
fn root(id: Id) -> Option<PathBuf> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from);
    match find(id, root.as_deref()) {
        Presence::NotFound { reason } => {
            println!("skipped: {id} with its real files. {reason}");
            None
        }
        _ => root,
    }
}

/// The first 4,000 training images of CIFAR-10 with their original pixels, if they are there.
fn original(root: &Path) -> Option<Split> {
    let path = root.join("cifar10/lossless_train_first4000.bin.xz");
    let Ok(packed) = std::fs::read(&path) else {
        println!(
            "skipped: comparison with original pixels. {} is missing",
            path.display()
        );
        return None;
    };
    let mut bytes = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut bytes).unwrap();
    Some(binary_records(&bytes).unwrap())
}

fn assert_official_order(set: &Dataset) {
    assert_eq!((set.train.len(), set.test.len()), (50_000, 10_000));
    let first: Vec<usize> = (0..10).collect();
    assert_eq!(set.train.labels(&first), [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]);
    assert_eq!(set.test.labels(&first), [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]);
}

#[test]
fn cifar10_is_read_in_official_order() {
    let Some(root) = root(Id::Cifar10) else {
        return;
    };
    let set = open(Id::Cifar10, Some(&root)).unwrap();
    assert_official_order(&set);
}

#[test]
fn the_jpeg_copy_of_cifar10_is_close_to_the_original() {
    let Some(root) = root(Id::Cifar10Jpeg) else {
        return;
    };
    let set = open(Id::Cifar10Jpeg, Some(&root)).unwrap();
    assert_official_order(&set);

    let Some(original) = original(&root) else {
        return;
    };
    let copy = set.train.take(original.len());
    assert!((0..original.len()).all(|index| original.label(index) == copy.label(index)));
    // Pillow, an independent decoder, measured a mean absolute error of 5.8 grey levels. Images that are shifted, transposed, or
    // have their channels swapped are much further apart.
    let pairs = original.pixels().iter().zip(copy.pixels());
    let total: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = total as f64 / original.pixels().len() as f64;
    assert!((mean - 5.8).abs() < 0.05, "mean absolute difference {mean}");
}
