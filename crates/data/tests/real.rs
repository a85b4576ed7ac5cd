//! The sets that are too large to embed, read from the data folder in BRINK_DATA. Tests of missing sets are skipped, and say so.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use brink_config::checked::Minority;
use brink_data::{Dataset, Id, Presence, Split, binary_records, find, open};
use brink_random::Stream;

/// Says what is skipped. Unlike `eprintln!`, a direct write is shown for tests that pass.
fn skipped(what: &str) {
    let line = format!("skipped: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The data folder, if it is set and holds the data set. Otherwise prints what is skipped.
fn root(id: Id) -> Option<PathBuf> {
    let root = std::env::var_os("BRINK_DATA").map(PathBuf::from);
    match find(id, root.as_deref()) {
        absent @ Presence::NotFound { .. } => {
            skipped(&format!("{id} with its real files. {absent}"));
            None
        }
        _ => root,
    }
}

/// The first 4,000 training images of CIFAR-10 with their original pixels, if they are there.
fn original(root: &Path) -> Option<Split> {
    let path = root.join("cifar10/lossless_train_first4000.bin.xz");
    let Ok(packed) = std::fs::read(&path) else {
        skipped(&format!(
            "comparison with original pixels. {} is missing",
            path.display()
        ));
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
    // With Pillow, an independent decoder, the mean absolute difference is 5.8 grey levels. It is much larger for images that are
    // shifted or transposed, or have swapped channels.
    let pairs = original.pixels().iter().zip(copy.pixels());
    let total: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = total as f64 / original.pixels().len() as f64;
    assert!((mean - 5.8).abs() < 0.05, "mean absolute difference {mean}");
}

/// The number of images per class.
fn counts(split: &Split) -> Vec<usize> {
    let mut counts = vec![0; 256];
    for index in 0..split.len() {
        counts[split.label(index) as usize] += 1;
    }
    counts
}

/// Four pixel values of an image: red at the upper left, a green one, blue at the lower right, and another red one.
fn probe(split: &Split, index: usize) -> [u8; 4] {
    let [_, side, _] = split.shape();
    let at = |c, y, x| split.image(index)[(c * side + y) * side + x];
    [
        at(0, 0, 0),
        at(1, side / 2, side / 3),
        at(2, side - 1, side - 1),
        at(0, side / 4, side / 2),
    ]
}

/// The index and the label of an image, and its [`probe`] values from Pillow 13.
type Probe = (usize, u32, [u8; 4]);

/// Compares images with Pillow's. Pixels may differ by at most `levels`.
fn assert_pixels(split: &Split, probes: [Probe; 3], levels: u8) {
    for (index, label, pixels) in probes {
        assert_eq!(split.label(index), label, "image {index}");
        let found = probe(split, index);
        let close = found
            .iter()
            .zip(pixels)
            .all(|(a, b)| a.abs_diff(b) <= levels);
        assert!(close, "image {index}: {found:?} instead of {pixels:?}");
    }
}

#[test]
fn thinned_gtsrb_has_its_pixels_and_its_tracks() {
    let Some(root) = root(Id::GtsrbThinned) else {
        return;
    };
    let set = open(Id::GtsrbThinned, Some(&root)).unwrap();
    let train = [
        (0, 0, [75, 220, 89, 213]),
        (1_000, 1, [57, 248, 245, 249]),
        (19_604, 42, [14, 29, 11, 51]),
    ];
    let test = [
        (0, 16, [116, 41, 170, 125]),
        (1_000, 17, [58, 255, 39, 194]),
        (12_629, 10, [10, 26, 13, 34]),
    ];
    assert_pixels(&set.train, train, 0);
    assert_pixels(&set.test, test, 0);
    // Class 0 has the fewest images, class 2 the most.
    let (train, test) = (counts(&set.train), counts(&set.test));
    assert_eq!(
        [train[0], train[2], train[42], test[0], test[2]],
        [105, 1125, 120, 60, 750]
    );

    let tracks = |split: &Split| {
        let mut tracks = HashMap::new();
        for index in 0..split.len() {
            let of_class = tracks
                .entry(split.group(index).unwrap())
                .or_insert((split.label(index), 0));
            assert_eq!(of_class.0, split.label(index), "a track is of one class");
            of_class.1 += 1;
        }
        tracks
    };
    let all = tracks(&set.train);
    assert_eq!(all.len(), 1307);
    assert!(all.values().all(|&(_, frames)| frames == 15));

    let share = Minority::literal(0.1);
    let (rest, held) = set.train.hold_out(share, &mut Stream::new(1));
    let in_rest: HashSet<u32> = tracks(&rest).into_keys().collect();
    assert!(tracks(&held).keys().all(|track| !in_rest.contains(track)));
    assert_eq!(rest.len() + held.len(), set.train.len());
    assert_eq!(held.classes(), set.train.classes());
    for (had, have) in counts(&set.train).iter().zip(counts(&held)) {
        assert!((have as f64 - 0.1 * *had as f64).abs() <= 7.5);
    }
}

#[test]
fn the_thinned_copy_is_every_second_frame_of_gtsrb() {
    let (Some(root), Some(_)) = (root(Id::Gtsrb), root(Id::GtsrbThinned)) else {
        return;
    };
    let set = open(Id::Gtsrb, Some(&root)).unwrap();
    let thinned = open(Id::GtsrbThinned, Some(&root)).unwrap();
    // Tracks have 30 frames, except for one that lacks the last.
    let mut frames = HashMap::new();
    let mut even = Vec::new();
    for index in 0..set.train.len() {
        let frame = frames.entry(set.train.group(index)).or_insert(0);
        if *frame % 2 == 0 {
            even.push(index);
        }
        *frame += 1;
    }
    assert!(set.train.select(&even) == thinned.train);
    assert!(set.test == thinned.test);
}

#[test]
fn small_flowers_are_enlarged_as_pillow_does() {
    let Some(root) = root(Id::Flowers102Small) else {
        return;
    };
    let set = open(Id::Flowers102Small, Some(&root)).unwrap();
    // JPEG decoders differ by this much.
    let levels = 5;
    let train = [
        (0, 76, [56, 131, 199, 178]),
        (1_000, 9, [42, 102, 22, 159]),
        (2_039, 61, [184, 159, 21, 131]),
    ];
    let test = [
        (0, 76, [135, 125, 0, 179]),
        (1_000, 45, [53, 81, 22, 216]),
        (6_148, 61, [5, 145, 15, 112]),
    ];
    assert_pixels(&set.train, train, levels);
    assert_pixels(&set.test, test, levels);
    let (train, test) = (counts(&set.train), counts(&set.test));
    assert_eq!(train[..102], [20; 102]);
    assert_eq!([test[0], test[50], test[76], test[101]], [20, 238, 231, 28]);
}
