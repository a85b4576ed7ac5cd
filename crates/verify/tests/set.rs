//! The file of a set: reading returns the same bits, and other files are refused.

mod common;

use std::{collections::HashMap, error::Error as _, fs};

use brink_verify::{Error, FileError, Images, LabelSpace, Layout, Pixels, SecretKey, SensitiveSet};
use common::{Linear, key, set_of};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};

fn set() -> SensitiveSet {
    set_of(&Linear, 6, Layout::Pairs, LabelSpace::Head)
}

#[test]
fn a_set_survives_its_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("set.safetensors");
    set().save(&path, &key()).unwrap();
    assert_eq!(SensitiveSet::load(&path, &key()).unwrap(), set());
    assert_eq!(fs::read(&path).unwrap(), set().to_bytes(&key()).unwrap());
}

#[test]
fn other_software_can_read_the_file() {
    let bytes = set().to_bytes(&key()).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("images").unwrap().shape(), [6, 1, 2, 2]);
    assert_eq!(tensors.tensor("labels").unwrap().shape(), [6]);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = set().to_bytes(&key()).unwrap();
    for length in 0..bytes.len() {
        assert!(
            SensitiveSet::from_bytes(&bytes[..length], &key()).is_err(),
            "{length} bytes of {}",
            bytes.len()
        );
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(SensitiveSet::from_bytes(&longer, &key()).is_err());
}

#[test]
fn every_flipped_bit_of_the_tensors_is_noticed() {
    let bytes = set().to_bytes(&key()).unwrap();
    let tensors = 6 * (4 * 4 + 4);
    for byte in bytes.len() - tensors..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1 << bit;
            assert!(matches!(
                SensitiveSet::from_bytes(&damaged, &key()),
                Err(FileError::Checksum)
            ));
        }
    }
}

#[test]
fn files_of_something_else_are_told_apart() {
    let refused = |bytes: &[u8]| {
        let error = SensitiveSet::from_bytes(bytes, &key()).unwrap_err();
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error} / {source}")
    };
    assert!(refused(b"").starts_with("not a whole safetensors file"));
    assert!(refused(b"\x89PNG\r\n\x1a\n and so on").starts_with("not a whole safetensors file"));

    let bytes = set().to_bytes(&key()).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let edited = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let text = String::from_utf8(bytes[8..header].to_vec()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        [
            &bytes[..8],
            text.replacen(from, to, 1).as_bytes(),
            &bytes[header..],
        ]
        .concat()
    };
    let format = refused(&edited("\\\"format\\\":2", "\\\"format\\\":3"));
    assert!(format.contains("format 3 is not the format 2"), "{format}");
    let entry = refused(&edited("\"brink\"", "\"blink\""));
    assert!(entry.contains("no metadata entry `brink`"), "{entry}");
    let dtype = refused(&edited("\"U32\"", "\"I32\""));
    assert!(dtype.contains("`labels` (n) u32"), "{dtype}");
    let layout = refused(&edited("\\\"pairs\\\"", "\\\"peers\\\""));
    assert!(layout.contains("unknown variant `peers`"), "{layout}");
    let space = refused(&edited(
        "\\\"label_space\\\":\\\"head\\\"",
        "\\\"label_space\\\":\\\"hood\\\"",
    ));
    assert!(space.contains("hood"), "{space}");
}

#[test]
fn a_file_error_names_the_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-a-set.safetensors");
    fs::write(&path, b"hello").unwrap();
    for path in [path.as_path(), "no/such/set.safetensors".as_ref()] {
        let error = SensitiveSet::load(path, &key()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("sensitive set {}", path.display())
        );
        assert!(error.source().is_some());
    }
}

fn another_key() -> SecretKey {
    SecretKey::from_hex("000102030405060708090a0b0c0d0e10").unwrap()
}

#[test]
fn a_wrong_key_is_refused_and_the_right_one_gives_the_head() {
    let error = set().head(&another_key()).unwrap_err();
    assert!(matches!(&error, Error::WrongKey { model_id } if model_id == common::MODEL));
    assert!(error.to_string().contains(common::MODEL));
    assert_eq!(
        set().head(&key()).unwrap(),
        Some(key().head(common::MODEL, 3))
    );
    let without = set_of(&Linear, 6, Layout::Pairs, LabelSpace::Classes);
    assert_eq!(without.head(&another_key()).unwrap(), None);
}

#[test]
fn only_the_key_that_sealed_a_file_opens_it() {
    let bytes = set().to_bytes(&key()).unwrap();
    let error = SensitiveSet::from_bytes(&bytes, &another_key()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("this secret key did not make the set")
    );
    // A set in the label space of classes has no key check: the seal alone stands between it and a planted one.
    let planted = set_of(&Linear, 6, Layout::Pairs, LabelSpace::Classes);
    let bytes = planted.to_bytes(&another_key()).unwrap();
    let error = SensitiveSet::from_bytes(&bytes, &key()).unwrap_err();
    assert!(matches!(error, FileError::Forged));
    assert_eq!(
        SensitiveSet::from_bytes(&bytes, &another_key()).unwrap(),
        planted
    );
    // Nor does the owner's key seal the head of another one.
    assert!(matches!(
        set().to_bytes(&another_key()),
        Err(Error::WrongKey { .. })
    ));
}

#[test]
fn the_seal_covers_everything_in_the_file() {
    type Change = fn(&mut SensitiveSet);
    let changes: [(&str, Change); 7] = [
        ("a pixel", |set| {
            let mut data = set.images.data().to_vec();
            data[5] = 1.0 - data[5];
            set.images = Images::new(set.images.shape(), data).unwrap();
        }),
        ("the shape", |set| {
            set.images = Images::new([1, 1, 4], set.images.data().to_vec()).unwrap();
        }),
        ("a label", |set| set.labels[2] = 1 - set.labels[2]),
        ("the layout", |set| set.layout = Layout::Singles),
        ("the classes", |set| set.classes += 1),
        ("the model", |set| set.model_id.push('2')),
        ("the generator", |set| set.generator.push('2')),
    ];
    let two_labels = || SensitiveSet {
        label_space: LabelSpace::Classes,
        key_check: None,
        labels: vec![0, 1, 0, 1, 0, 1],
        ..set()
    };
    let original = two_labels().to_bytes(&key()).unwrap();
    let seal = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let at = text.find("seal").unwrap() + "seal\\\":\\\"".len();
        text[at..at + 64].to_owned()
    };
    for (what, change) in changes {
        let mut changed = two_labels();
        change(&mut changed);
        // The forger knows the format and corrects the checksum, but has to take the old seal.
        let forged = changed.to_bytes(&another_key()).unwrap();
        let forged = replaced(&forged, &seal(&forged), &seal(&original));
        let error = SensitiveSet::from_bytes(&forged, &key()).unwrap_err();
        assert!(matches!(error, FileError::Forged), "{what}: {error}");
        assert_eq!(
            SensitiveSet::from_unsealed_bytes(&forged, changed.classes).unwrap(),
            changed,
            "{what}"
        );
    }
}

/// `bytes` with one text in place of another one of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let at = at.unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// The file as version 1 wrote it.
fn first_version(set: &SensitiveSet) -> Vec<u8> {
    let images: Vec<u8> = set
        .images
        .data()
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let labels: Vec<u8> = set.labels.iter().flat_map(|x| x.to_le_bytes()).collect();
    let sum = Sha256::digest([images.clone(), labels.clone()].concat());
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = serde_json::json!({
        "format": 1, "layout": set.layout, "label_space": set.label_space, "model_id": set.model_id,
        "generator": set.generator, "key_check": set.key_check, "sha256": sum,
    });
    let [c, h, w] = set.images.shape();
    let n = set.images.len();
    let tensors = [
        (
            "images",
            TensorView::new(Dtype::F32, vec![n, c, h, w], &images).unwrap(),
        ),
        (
            "labels",
            TensorView::new(Dtype::U32, vec![n], &labels).unwrap(),
        ),
    ];
    let entries = HashMap::from([("brink".to_owned(), meta.to_string())]);
    safetensors::serialize(tensors, Some(entries)).unwrap()
}

#[test]
fn a_file_of_before_seals_can_be_looked_at_and_not_trusted() {
    let bytes = first_version(&set());
    assert_eq!(SensitiveSet::from_unsealed_bytes(&bytes, 3).unwrap(), set());
    let error = SensitiveSet::from_bytes(&bytes, &key()).unwrap_err();
    assert!(matches!(error, FileError::Unsealed));
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(
        SensitiveSet::from_unsealed_bytes(&damaged, 3),
        Err(FileError::Checksum)
    ));
    // The new version does not take itself for the old one, and says how many classes there are.
    let bytes = set().to_bytes(&key()).unwrap();
    let error = SensitiveSet::from_unsealed_bytes(&bytes, 4).unwrap_err();
    assert!(
        error.to_string().contains("a model of 3 classes, not 4"),
        "{error}"
    );
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    type Break = fn(&mut SensitiveSet);
    let breaks: [(&str, Break); 7] = [
        ("no images", |set| {
            set.images = set.images.select(&[]);
            set.labels.clear();
        }),
        ("6 images have 5 labels", |set| set.labels.truncate(5)),
        ("5 images do not form pairs", |set| {
            set.images = set.images.select(&[0, 1, 2, 3, 4]);
            set.labels.truncate(5);
        }),
        (
            "image 3 has label 2, but labels of the label space `head` go from 0 to 1",
            |set| {
                set.labels[3] = 2;
            },
        ),
        ("a model of 1 classes has no decision boundary", |set| {
            set.classes = 1;
        }),
        ("does not fit its key check", |set| set.key_check = None),
        ("does not fit its key check", |set| {
            set.label_space = LabelSpace::Classes;
        }),
    ];
    for (problem, make) in breaks {
        let mut set = set();
        set.check().unwrap();
        make(&mut set);
        let error = set.to_bytes(&key()).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn images_hold_whole_images_of_pixels_in_the_unit_interval() {
    let images = |shape, data: Vec<f32>| Images::new(shape, data);
    assert!(matches!(
        images([1, 2, 2], vec![0.0; 6]),
        Err(Error::Shape { values: 6, .. })
    ));
    assert!(matches!(
        images([1, 0, 2], vec![]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        images([usize::MAX, 2, 2], vec![]),
        Err(Error::Shape { .. })
    ));
    for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        let mut data = vec![0.5; 8];
        data[6] = value;
        assert!(matches!(
            images([1, 2, 2], data),
            Err(Error::Pixel {
                image: 1,
                pixel: 2,
                ..
            })
        ));
    }
    let two = images([1, 1, 2], vec![0.0, 0.25, 0.5, 1.0]).unwrap();
    assert_eq!(
        (two.len(), two.shape(), two.image(1)),
        (2, [1, 1, 2], [0.5, 1.0].as_slice())
    );
    assert_eq!(
        two.select(&[1, 0, 1]).data(),
        [0.5, 1.0, 0.0, 0.25, 0.5, 1.0]
    );
    assert!(two.select(&[]).is_empty());
}

proptest! {
    #[test]
    fn every_set_is_the_same_bits_after_its_file(
        (shape, n) in ([1usize..4, 1usize..4, 1usize..4], 1usize..6),
        bits in prop::collection::vec(0u32..=0x3f80_0000, 135),
        labels in prop::collection::vec(0..5000u32, 5),
        (pairs, model_id, generator) in (any::<bool>(), "\\PC{0,20}", "\\PC{0,20}"),
    ) {
        let n = if pairs { n & !1 } else { n };
        prop_assume!(n > 0);
        let pixels: usize = shape.iter().product();
        let data = bits[..n * pixels].iter().map(|bits| f32::from_bits(*bits)).collect::<Vec<_>>();
        let set = SensitiveSet {
            images: Images::new(shape, data).unwrap(),
            labels: labels[..n].to_vec(),
            layout: if pairs { Layout::Pairs } else { Layout::Singles },
            label_space: LabelSpace::Classes,
            classes: 5000,
            model_id,
            generator,
            key_check: None,
        };
        let bytes = set.to_bytes(&key()).unwrap();
        let read = SensitiveSet::from_bytes(&bytes, &key()).unwrap();
        prop_assert_eq!(&read, &set);
        prop_assert!(read.images.data().iter().map(|x| x.to_bits()).eq(bits[..n * pixels].iter().copied()));
        prop_assert_eq!(read.to_bytes(&key()).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SensitiveSet::from_bytes(&bytes, &key()).is_err());
    }
}

/// Two pairs of one channel, two rows and one column.
#[test]
fn pixels_are_counted_over_all_images_and_pairs() {
    let data = vec![0.0, 0.5, 0.25, 0.5, 1.0, 1.0, 1.0, 0.75];
    let set = SensitiveSet {
        images: Images::new([1, 2, 1], data).unwrap(),
        labels: vec![0, 1, 1, 0],
        layout: Layout::Pairs,
        ..set()
    };
    let pixels = Pixels::of(&set);
    // The sum is 5, that of the squares 0.25 + 0.0625 + 0.25 + 1 + 1 + 1 + 0.5625.
    assert_eq!(pixels.mean, 0.625);
    let variance = 4.125 / 8.0 - 0.625 * 0.625;
    assert!((pixels.deviation.powi(2) - variance).abs() < 1e-12);
    let pairs = pixels.pairs.unwrap();
    assert_eq!((pairs.largest, pairs.share), (0.25, 0.5));
    let singles = SensitiveSet {
        layout: Layout::Singles,
        ..set
    };
    assert_eq!(Pixels::of(&singles).pairs, None);
}
