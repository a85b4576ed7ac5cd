//! The file of a set: the same bits back, and nothing else accepted.

mod common;

use std::{error::Error as _, fs};

use common::{Linear, key, set_of};
use proptest::prelude::*;
use safetensors::SafeTensors;
use verify::{Error, FileError, Images, LabelSpace, Layout, Pixels, SecretKey, SensitiveSet};

fn set() -> SensitiveSet {
    set_of(&Linear, 6, Layout::Pairs, LabelSpace::Head)
}

#[test]
fn a_set_survives_its_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("set.safetensors");
    set().save(&path).unwrap();
    assert_eq!(SensitiveSet::load(&path).unwrap(), set());
    assert_eq!(fs::read(&path).unwrap(), set().to_bytes().unwrap());
}

#[test]
fn other_software_can_read_the_file() {
    let bytes = set().to_bytes().unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("images").unwrap().shape(), [6, 1, 2, 2]);
    assert_eq!(tensors.tensor("labels").unwrap().shape(), [6]);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = set().to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(
            SensitiveSet::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes of {}",
            bytes.len()
        );
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(SensitiveSet::from_bytes(&longer).is_err());
}

#[test]
fn every_flipped_bit_of_the_tensors_is_noticed() {
    let bytes = set().to_bytes().unwrap();
    let tensors = 6 * (4 * 4 + 4);
    for byte in bytes.len() - tensors..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1 << bit;
            assert!(matches!(
                SensitiveSet::from_bytes(&damaged),
                Err(FileError::Checksum)
            ));
        }
    }
}

#[test]
fn files_of_something_else_are_told_apart() {
    let refused = |bytes: &[u8]| {
        let error = SensitiveSet::from_bytes(bytes).unwrap_err();
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error} / {source}")
    };
    assert!(refused(b"").starts_with("not a whole safetensors file"));
    assert!(refused(b"\x89PNG\r\n\x1a\n and so on").starts_with("not a whole safetensors file"));

    let bytes = set().to_bytes().unwrap();
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
    let format = refused(&edited("\\\"format\\\":1", "\\\"format\\\":2"));
    assert!(format.contains("format 2 is not the format 1"), "{format}");
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
        let error = SensitiveSet::load(path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("sensitive set {}", path.display())
        );
        assert!(error.source().is_some());
    }
}

#[test]
fn a_wrong_key_is_refused_and_the_right_one_gives_the_head() {
    let wrong = SecretKey::from_hex("000102030405060708090a0b0c0d0e10").unwrap();
    let error = set().head(&wrong, 3).unwrap_err();
    assert!(matches!(&error, Error::WrongKey { model_id } if model_id == common::MODEL));
    assert!(error.to_string().contains(common::MODEL));
    assert_eq!(
        set().head(&key(), 3).unwrap(),
        Some(key().head(common::MODEL, 3))
    );
    let without = set_of(&Linear, 6, Layout::Pairs, LabelSpace::Classes);
    assert_eq!(without.head(&wrong, 3).unwrap(), None);
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    type Break = fn(&mut SensitiveSet);
    let breaks: [(&str, Break); 6] = [
        ("no images", |set| {
            set.images = set.images.select(&[]);
            set.labels.clear();
        }),
        ("6 images have 5 labels", |set| set.labels.truncate(5)),
        ("5 images do not form pairs", |set| {
            set.images = set.images.select(&[0, 1, 2, 3, 4]);
            set.labels.truncate(5);
        }),
        ("neither 0 nor 1", |set| set.labels[3] = 2),
        ("does not fit its key check", |set| set.key_check = None),
        ("does not fit its key check", |set| {
            set.label_space = LabelSpace::Classes;
        }),
    ];
    for (problem, make) in breaks {
        let mut set = set();
        set.check().unwrap();
        make(&mut set);
        let error = set.to_bytes().unwrap_err().to_string();
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
        labels in prop::collection::vec(any::<u32>(), 5),
        (pairs, model_id, generator) in (any::<bool>(), "\\PC{0,20}", "\\PC{0,20}"),
    ) {
        let n = if pairs { n & !1 } else { n };
        prop_assume!(n > 0);
        let pixels: usize = shape.iter().product();
        let data = bits[..n * pixels].iter().map(|bits| f32::from_bits(*bits)).collect();
        let set = SensitiveSet {
            images: Images::new(shape, data).unwrap(),
            labels: labels[..n].to_vec(),
            layout: if pairs { Layout::Pairs } else { Layout::Singles },
            label_space: LabelSpace::Classes,
            model_id,
            generator,
            key_check: None,
        };
        let bytes = set.to_bytes().unwrap();
        let read = SensitiveSet::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &set);
        prop_assert!(read.images.data().iter().map(|x| x.to_bits()).eq(bits[..n * pixels].iter().copied()));
        prop_assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SensitiveSet::from_bytes(&bytes).is_err());
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
