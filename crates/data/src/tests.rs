//! Small sets in both layouts of CIFAR-10, and the faults that their files can have.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use flate2::write::GzEncoder;
use image::{ImageFormat, RgbImage};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::checksum::{sha1, sha256};
use crate::corpus::{self, photograph};
use crate::fetch::{Archive, Prepared, prepare_set};
use crate::locate::read;
use crate::resize::bilinear;
use crate::{
    Codec, Error, Id, Info, Layout, Packed, Part, Presence, Proof, REGISTRY, Split, Sum, Summed,
    encoded, find,
};

/// The registry's CIFAR-10, reduced to 10 training and 4 test images.
static SMALL: Info = small(&[Layout::Records, Layout::Parquet(Codec::Png)], &[]);
static SMALL_JPEG: Info = small(&[Layout::Parquet(Codec::Jpeg)], &[]);

const fn small(layouts: &'static [Layout], sums: &'static [Sum]) -> Info {
    Info {
        id: Id::Cifar10,
        name: "cifar10",
        title: "CIFAR-10",
        classes: 10,
        class_names: REGISTRY[Id::Cifar10 as usize].class_names,
        train: 10,
        test: 4,
        shape: [3, 32, 32],
        origin: "",
        licence: "",
        how_to_get: "THE WAY TO GET IT",
        tracks: false,
        layouts,
        folders: REGISTRY[Id::Cifar10 as usize].folders,
        packed: Packed::square(32),
        sums,
        proof: Proof::Archives,
        archives: &[],
    }
}

/// Record `index` in the official format.
fn record(index: usize) -> Vec<u8> {
    [vec![(index % 10) as u8], corpus::planes(index)].concat()
}

fn records(indices: std::ops::Range<usize>) -> Vec<u8> {
    indices.flat_map(record).collect()
}

/// Writes the six official files.
fn write_batches(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for batch in 0..5 {
        let name = format!("data_batch_{}.bin", batch + 1);
        fs::write(folder.join(name), records(batch * 2..batch * 2 + 2)).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), records(10..14)).unwrap();
}

/// Writes one Parquet file as Hugging Face does. `None` is an empty cell.
fn write_shard(path: &Path, column: &str, rows: &[(Option<Vec<u8>>, i64)]) {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, corpus::parquet(column, rows, properties.build())).unwrap();
}

fn rows(indices: std::ops::Range<usize>, format: ImageFormat) -> Vec<(Option<Vec<u8>>, i64)> {
    indices
        .map(|index| (Some(photograph(index, format)), (index % 10) as i64))
        .collect()
}

/// Writes the set as Parquet, the training images in two files.
fn write_parquet(folder: &Path, column: &str, format: ImageFormat) {
    write_shard(
        &folder.join("train-00000-of-00002.parquet"),
        column,
        &rows(0..6, format),
    );
    write_shard(
        &folder.join("train-00001-of-00002.parquet"),
        column,
        &rows(6..10, format),
    );
    write_shard(
        &folder.join("test-00000-of-00001.parquet"),
        column,
        &rows(10..14, format),
    );
}

fn expected(indices: std::ops::Range<usize>) -> Split {
    crate::binary_records(&records(indices)).unwrap()
}

fn message(info: &'static Info, root: &Path) -> String {
    read(info, Some(root)).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn official_batches_are_found_in_every_usual_folder() {
    for folder in [
        "",
        "cifar-10-batches-bin",
        "cifar10",
        "cifar10/cifar-10-batches-bin",
    ] {
        let root = tempfile::tempdir().unwrap();
        write_batches(&root.path().join(folder));
        let set = read(&SMALL, Some(root.path())).unwrap();
        assert_eq!(
            (set.train, set.test),
            (expected(0..10), expected(10..14)),
            "{folder}"
        );
    }
}

#[test]
fn png_in_parquet_is_the_same_set() {
    for (folder, column) in [
        ("cifar10", "img"),
        ("cifar10/plain_text", "image"),
        ("", "img"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write_parquet(&root.path().join(folder), column, ImageFormat::Png);
        let set = read(&SMALL, Some(root.path())).unwrap();
        assert_eq!(
            (set.train, set.test),
            (expected(0..10), expected(10..14)),
            "{folder}"
        );
    }
}

#[test]
fn jpeg_in_parquet_is_another_set() {
    let root = tempfile::tempdir().unwrap();
    write_parquet(&root.path().join("cifar10"), "img", ImageFormat::Jpeg);
    let set = read(&SMALL_JPEG, Some(root.path())).unwrap();
    let original = expected(0..10);
    let worst = original
        .pixels()
        .iter()
        .zip(set.train.pixels())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!((1..50).contains(&worst.unwrap()), "{worst:?}");

    let message = message(&SMALL, root.path());
    assert!(
        message.contains("JPEG-encoded") && message.contains("`cifar10-jpeg`"),
        "{message}"
    );
    assert!(message.ends_with("THE WAY TO GET IT."), "{message}");
}

#[test]
fn packed_images_of_another_size_are_resized_and_tracks_become_groups() {
    static LARGE: Info = Info {
        shape: [3, 48, 40],
        tracks: true,
        packed: Packed {
            train: &["train-00001", "train-00000"],
            size: [32, 32],
        },
        ..small(&[Layout::Parquet(Codec::Png)], &[])
    };
    let root = tempfile::tempdir().unwrap();
    write_parquet(root.path(), "image", ImageFormat::Png);
    let set = read(&LARGE, Some(root.path())).unwrap();
    let order = [6, 7, 8, 9, 0, 1, 2, 3, 4, 5];
    let original = expected(0..10).select(&order);
    for (index, label) in (0..).zip(order) {
        let label = label as u32;
        let planes = original.image(index).chunks(32 * 32);
        let resized = planes.flat_map(|plane| bilinear(plane, [32, 32], [48, 40]));
        assert_eq!(set.train.image(index), resized.collect::<Vec<u8>>());
        assert_eq!(set.train.label(index), label);
        assert_eq!(set.train.group(index), Some((label << 16) | (label % 3)));
    }
    assert_eq!(set.test.group(0), None);

    fs::remove_file(root.path().join("train-00000-of-00002.parquet")).unwrap();
    let message = message(&LARGE, root.path());
    assert!(
        message.contains("train-00000-00000-of-00001.parquet: missing"),
        "{message}"
    );
}

#[test]
fn original_pixels_are_preferred_to_jpeg() {
    let root = tempfile::tempdir().unwrap();
    write_parquet(&root.path().join("cifar10"), "img", ImageFormat::Jpeg);
    write_batches(&root.path().join("cifar-10-batches-bin"));
    assert_eq!(
        read(&SMALL, Some(root.path())).unwrap().train,
        expected(0..10)
    );
    read(&SMALL_JPEG, Some(root.path())).unwrap();
}

/// A change to a folder, and the expected parts of the message besides the way to get the set.
type Damage = (fn(&Path), &'static [&'static str]);

#[test]
fn a_fault_in_the_batches_is_told_with_its_file() {
    let cases: &[Damage] = &[
        (
            |f| fs::remove_file(f.join("data_batch_3.bin")).unwrap(),
            &["data_batch_3.bin", "missing"],
        ),
        (
            |f| fs::write(f.join("data_batch_2.bin"), &records(0..2)[1..]).unwrap(),
            &["data_batch_2.bin", "6145 bytes long instead of 6146"],
        ),
        (
            |f| fs::write(f.join("test_batch.bin"), b"").unwrap(),
            &["test_batch.bin", "0 bytes long instead of 12292"],
        ),
        (
            |f| {
                let mut bytes = records(4..6);
                bytes[3073] = 10;
                fs::write(f.join("data_batch_3.bin"), bytes).unwrap();
            },
            &[
                "data_batch_3.bin",
                "image 1 has label 10; labels must be from 0 to 9",
            ],
        ),
    ];
    for (damage, named) in cases {
        let root = tempfile::tempdir().unwrap();
        write_batches(root.path());
        damage(root.path());
        let message = message(&SMALL, root.path());
        for part in named.iter().chain([&"THE WAY TO GET IT"]) {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}

#[test]
fn a_fault_in_the_parquet_files_is_told_with_its_file() {
    const TRAIN: &str = "train-00001-of-00002.parquet";
    const TEST: &str = "test-00000-of-00001.parquet";
    fn rewrite(folder: &Path, change: impl Fn(&mut Vec<(Option<Vec<u8>>, i64)>)) {
        let mut rows = rows(6..10, ImageFormat::Png);
        change(&mut rows);
        write_shard(&folder.join(TRAIN), "img", &rows);
    }
    let cases: &[Damage] = &[
        (
            |f| fs::remove_file(f.join(TEST)).unwrap(),
            &[TEST, "missing"],
        ),
        (
            |f| fs::write(f.join(TEST), b"").unwrap(),
            &[TEST, "truncated or not readable as Parquet"],
        ),
        (
            |f| fs::write(f.join(TRAIN), [7; 1000]).unwrap(),
            &[TRAIN, "truncated or not readable as Parquet"],
        ),
        (
            |f| write_shard(&f.join(TRAIN), "picture", &rows(6..10, ImageFormat::Png)),
            &[TRAIN, "no column `img` or `image`"],
        ),
        (
            |f| rewrite(f, |rows| rows[3].1 = 10),
            &[TRAIN, "image 3 has label 10; labels must be from 0 to 9"],
        ),
        (
            |f| rewrite(f, |rows| rows[0].1 = -1),
            &[TRAIN, "image 0 has label -1"],
        ),
        (
            |f| rewrite(f, |rows| rows.truncate(3)),
            &[TRAIN, "9 images instead of 10"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0 = None),
            &[TRAIN, "row 2 has no value in column `img.bytes`"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0 = Some(photograph(8, ImageFormat::Jpeg))),
            &[TRAIN, "image 2 is not PNG-encoded"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0.as_mut().unwrap().truncate(60)),
            &[TRAIN, "image 2 cannot be decoded"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0 = Some(claiming([20_000, 20_000], 8, 0))),
            &[
                TRAIN,
                "image 2 is 20000 pixels wide and 20000 high instead of 32 and 32",
            ],
        ),
        (
            |f| {
                rewrite(f, |rows| {
                    rows[2].0 = Some(claiming([u32::MAX, u32::MAX], 16, 6));
                });
            },
            &[TRAIN, "image 2 is 4294967295 pixels wide"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0 = Some(claiming([32, 32], 16, 2))),
            &[TRAIN, "image 2 has more than 8 bits a channel"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0 = Some(claiming([32, 32], 8, 6))),
            &[TRAIN, "image 2 has transparency"],
        ),
        (
            |f| rewrite(f, |rows| rows[2].0.as_mut().unwrap().resize(2 << 20, 0)),
            &[
                TRAIN,
                "image 2 cannot be decoded",
                "it takes more than 1 MiB",
            ],
        ),
        (
            |f| rewrite(f, |rows| rows.extend(rows.clone())),
            &[TRAIN, "14 images instead of 10"],
        ),
        (
            |f| {
                let mut small = Cursor::new(Vec::new());
                RgbImage::new(31, 32)
                    .write_to(&mut small, ImageFormat::Png)
                    .unwrap();
                rewrite(f, move |rows| rows[1].0 = Some(small.get_ref().clone()));
            },
            &[
                TRAIN,
                "image 1 is 31 pixels wide and 32 high instead of 32 and 32",
            ],
        ),
    ];
    for (damage, named) in cases {
        let root = tempfile::tempdir().unwrap();
        write_parquet(&root.path().join("cifar10"), "img", ImageFormat::Png);
        damage(&root.path().join("cifar10"));
        let message = message(&SMALL, root.path());
        for part in named.iter().chain([&"THE WAY TO GET IT"]) {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}

/// The head of a PNG image with the given size, bits per channel and colour type, and no image data.
fn claiming(size: [u32; 2], bits: u8, colours: u8) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(size.map(u32::to_be_bytes).concat());
    png.extend([bits, colours, 0, 0, 0]);
    png
}

/// A damaged file in a folder with the set's name is reported as damaged, not as absent. In other folders it may belong to
/// another set, so nothing is said about damage.
#[test]
fn a_wrong_first_image_is_a_fault_in_a_folder_of_the_sets_name_alone() {
    for (folder, named) in [("cifar10", true), ("data", false), ("", false)] {
        for first in [claiming([33, 32], 8, 2), b"GIF89a".to_vec(), Vec::new()] {
            let root = tempfile::tempdir().unwrap();
            let path = root
                .path()
                .join(folder)
                .join("train-00000-of-00001.parquet");
            write_shard(&path, "img", &[(Some(first), 3)]);
            match find(Id::Cifar10, Some(root.path())) {
                Presence::Unusable { reason } if named => {
                    assert!(reason.starts_with(path.to_str().unwrap()), "{reason}");
                    assert!(reason.contains("image 0 is "), "{reason}");
                }
                Presence::NotFound { .. } if !named => {}
                other => panic!("{folder}: {other}"),
            }
        }
    }
}

/// Some layouts are searched in the data folder itself, where unrelated tables may lie.
#[test]
fn a_table_of_something_else_is_no_damaged_set() {
    let root = tempfile::tempdir().unwrap();
    write_parquet(root.path(), "text", ImageFormat::Png);
    let found = find(Id::Cifar10Jpeg, Some(root.path()));
    assert!(matches!(found, Presence::NotFound { .. }), "{found}");
}

/// A truncated set is reported as damaged, not as absent.
#[test]
fn a_damaged_set_is_not_an_absent_one() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cifar10");
    write_parquet(&folder, "img", ImageFormat::Png);
    let shard = folder.join("train-00000-of-00002.parquet");
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..whole.len() / 2]).unwrap();
    let Presence::Unusable { reason } = find(Id::Cifar10, Some(root.path())) else {
        panic!("not unusable");
    };
    let said = format!("{}: truncated or not readable", shard.display());
    assert!(reason.starts_with(&said), "{reason}");
}

#[test]
fn a_parquet_file_cut_anywhere_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    write_parquet(&root.path().join("cifar10"), "img", ImageFormat::Png);
    let path = root.path().join("cifar10/test-00000-of-00001.parquet");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(37) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read(&SMALL, Some(root.path())).map(|_| ()).unwrap_err();
        assert!(
            matches!(&error, Error::File { path: named, .. } if *named == path),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_damaged_parquet_directory_is_an_error_or_harmless() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("test-00000-of-00001.parquet");
    write_shard(&path, "img", &rows(10..14, ImageFormat::Png));
    let whole = fs::read(&path).unwrap();
    // The directory is at the end, before its length and the magic number.
    let tail = whole.len() - 8;
    let length = u32::from_le_bytes(whole[tail..tail + 4].try_into().unwrap()) as usize;
    for place in tail - length..whole.len() {
        for change in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[place] ^= change;
            fs::write(&path, bytes).unwrap();
            match encoded::read(&SMALL, Codec::Png, std::slice::from_ref(&path), Part::Test) {
                Ok((split, _)) => assert_eq!(split, expected(10..14), "byte {place}"),
                Err(error) => assert!(
                    matches!(&error, Error::File { path: named, .. } if *named == path),
                    "{error}"
                ),
            }
        }
    }
}

#[test]
fn wrong_contents_are_told_by_their_checksums() {
    const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    static LABELS: Info = small(
        &[Layout::Records, Layout::Parquet(Codec::Png)],
        &[Sum {
            part: Part::Test,
            of: Summed::Labels,
            sha256: WRONG,
        }],
    );
    static PIXELS: Info = small(
        &[Layout::Records, Layout::Parquet(Codec::Png)],
        &[Sum {
            part: Part::Train,
            of: Summed::FirstPixels(3),
            sha256: WRONG,
        }],
    );
    static ENCODED: Info = small(
        &[Layout::Records, Layout::Parquet(Codec::Png)],
        &[Sum {
            part: Part::Train,
            of: Summed::Encoded,
            sha256: WRONG,
        }],
    );
    let batches = tempfile::tempdir().unwrap();
    write_batches(batches.path());
    let parquet = tempfile::tempdir().unwrap();
    write_parquet(parquet.path(), "img", ImageFormat::Png);

    for root in [batches.path(), parquet.path()] {
        let labels = message(&LABELS, root);
        assert!(
            labels.contains("sha256 of the labels is") && labels.contains(WRONG),
            "{labels}"
        );
        let pixels = message(&PIXELS, root);
        assert!(
            pixels.contains("the pixels of the first 3 images is"),
            "{pixels}"
        );
        assert!(pixels.contains(root.to_str().unwrap()), "{pixels}");
    }
    assert!(message(&ENCODED, parquet.path()).contains("sha256 of the encoded images is"));
    assert!(
        read(&ENCODED, Some(batches.path())).is_ok(),
        "the official files hold no encoded images"
    );
}

/// `record` with other pixels: blank before index 12, and at index 13 a copy of record 3 under its own label.
fn blanked(index: usize) -> Vec<u8> {
    let mut record = match index {
        13 => record(3),
        index => record(index),
    };
    record[0] = (index % 10) as u8;
    if index < 12 {
        record[1..].fill(7);
    }
    record
}

/// The small CIFAR-10, verified by `sums`, the SHA-1 of the files of [`write_batches`].
fn with_batches(sums: Vec<String>) -> &'static Info {
    let sums: Vec<&'static str> = sums.into_iter().map(|sum| &*sum.leak()).collect();
    Box::leak(Box::new(Info {
        proof: Proof::Batches(sums.leak()),
        ..small(&[Layout::Records, Layout::Parquet(Codec::Png)], &[])
    }))
}

#[test]
fn content_is_verified_by_the_sums_of_the_official_files_in_any_layout() {
    let batches = tempfile::tempdir().unwrap();
    write_batches(batches.path());
    let parquet = tempfile::tempdir().unwrap();
    write_parquet(parquet.path(), "img", ImageFormat::Png);
    let names = (1..=5).map(|batch| format!("data_batch_{batch}.bin"));
    let sums = names.chain(["test_batch.bin".into()]).map(|name| {
        let bytes = fs::read(batches.path().join(name)).unwrap();
        sha1([bytes.as_slice()])
    });
    let info = with_batches(sums.collect());
    let contents =
        [batches.path(), parquet.path()].map(|root| read(info, Some(root)).unwrap().content);
    assert!(contents[0].verified);
    assert_eq!(contents[0], contents[1]);
    assert_eq!(contents[0].images, 14);

    // The labels are unchanged, and no checksum of the registry covers these pixels.
    let other: Vec<u8> = (10..14).flat_map(blanked).collect();
    fs::write(batches.path().join("test_batch.bin"), other).unwrap();
    let found = read(info, Some(batches.path())).unwrap().content;
    assert!(!found.verified);
    assert_ne!(found.sha256, contents[0].sha256);
    assert_eq!((found.images, found.blank, found.repeated), (14, 2, 0));
    let other: Vec<u8> = [10, 13, 13, 13].into_iter().flat_map(blanked).collect();
    fs::write(batches.path().join("test_batch.bin"), other).unwrap();
    let found = read(info, Some(batches.path())).unwrap().content;
    assert_eq!((found.verified, found.blank, found.repeated), (false, 1, 2));
}

/// Writes the small official files and an archive of them. Returns a set that only the archive can verify.
fn archived(root: &Path) -> &'static Info {
    write_batches(&root.join("cifar-10-batches-bin"));
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Default::default()));
    tar.append_dir_all("cifar-10-batches-bin", root.join("cifar-10-batches-bin"))
        .unwrap();
    let packed = tar.into_inner().unwrap().finish().unwrap();
    let archive = Archive {
        bytes: packed.len() as u64,
        sha256: sha256(&packed).leak(),
        ..REGISTRY[Id::Cifar10 as usize].archives[0]
    };
    fs::write(root.join(archive.file), packed).unwrap();
    Box::leak(Box::new(Info {
        archives: vec![archive].leak(),
        ..small(&[Layout::Records], &[])
    }))
}

#[test]
fn what_comes_out_of_a_verified_archive_is_verified_until_it_changes() {
    let root = tempfile::tempdir().unwrap();
    let info = archived(root.path());
    let verified = || read(info, Some(root.path())).unwrap().content.verified;
    assert!(!verified(), "anybody may have put the files there");

    let fetch = || match prepare_set(info, root.path(), None).unwrap() {
        Prepared::Wanted(wanted) => wanted.fetch(&mut |_, _| {}).unwrap(),
        Prepared::Done(fetched) => fetched,
    };
    let folder = root.path().join("cifar-10-batches-bin");
    let (mut fetched, whole) = (fetch(), fs::read(folder.join("test_batch.bin")).unwrap());
    assert_eq!((&fetched.folder, fetched.verified), (&folder, true));
    assert!(verified());

    let mut other = whole.clone();
    other[100] ^= 1;
    fs::write(folder.join("test_batch.bin"), &other).unwrap();
    assert!(!verified());
    // The archive is still there: it is unpacked again.
    fetched = fetch();
    assert!(fetched.verified && verified());
    assert_eq!(fs::read(folder.join("test_batch.bin")).unwrap(), whole);
    // Without the archive, nothing is downloaded for a set that can be read, and it stays unverified.
    fs::write(folder.join("test_batch.bin"), &other).unwrap();
    fs::remove_file(root.path().join(info.archives[0].file)).unwrap();
    fetched = fetch();
    assert!(!fetched.verified && !verified());
}

#[test]
fn an_absent_set_says_where_it_was_looked_for_and_how_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    let absent = empty.path().join("no-such-folder");
    for info in REGISTRY
        .iter()
        .filter(|info| !info.layouts.contains(&Layout::Embedded))
    {
        for (root, named) in [
            (None, ["--data", info.how_to_get]),
            (
                Some(empty.path()),
                [empty.path().to_str().unwrap(), info.how_to_get],
            ),
            (
                Some(absent.as_path()),
                [absent.to_str().unwrap(), "no such folder"],
            ),
        ] {
            let message = crate::open(info.id, root)
                .map(|_| ())
                .unwrap_err()
                .to_string();
            assert!(named.iter().all(|part| message.contains(part)), "{message}");
            let found = find(info.id, root);
            assert!(matches!(found, Presence::NotFound { .. }), "{found:?}");
            assert_eq!(found.to_string(), message);
        }
    }
    assert_eq!(find(Id::FashionMnist, Some(&absent)), Presence::Embedded);
}
