//! Only what the owner signed is read, to the last bit.

use brink_endpoint::{Encoding, Kind, Protocol};
use brink_keys::Signer;
use brink_mark::{About, Error, Mark, Measured, Promise, Signed};
use brink_verify::{Images, LabelSpace, Layout, Profile, Rate, SecretKey, SensitiveSet};
use serde_json::json;
use zeroize::Zeroizing;

const PROMISE: Promise = Promise {
    false_alarm: 1e-3,
    change: 0.25,
    miss: 0.01,
};

fn signer() -> Signer {
    Signer::from_seed(&Zeroizing::new([7; 32]))
}

fn mark() -> Mark {
    let pixels: Vec<f32> = (0..24).map(|i| i as f32 / 24.0).collect();
    Mark {
        set: SensitiveSet {
            images: Images::new([3, 1, 2], pixels).unwrap(),
            labels: vec![0, 1, 2, 0],
            layout: Layout::Pairs,
            label_space: LabelSpace::Classes,
            classes: 3,
            model_id: "mine".to_owned(),
            generator: "bracketed".to_owned(),
            key_check: None,
        },
        key: None,
        anchors: Images::new([3, 1, 2], vec![0.5; 12]).unwrap(),
        about: About {
            user: "alice".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            answers: Kind::Labels,
            pixels: Encoding::Png,
            protocol: Some(Protocol::KServe {
                input: "input".to_owned(),
            }),
            names: vec!["cat".to_owned(), "dog".to_owned()],
            settings: json!({"samples": 2}),
            queries: 48,
            measured: Measured {
                dropped: 1,
                controls: Vec::new(),
                flipped: Rate::new(0, 150),
                profiles: vec![Profile {
                    name: "images sent as JPEG".to_owned(),
                    labels: vec![1, 1],
                }],
            },
            promise: PROMISE,
        },
    }
}

/// The same pairs with labels of a keyed head.
fn keyed() -> Mark {
    let key = SecretKey::from_hex("00112233445566778899aabbccddeeff").unwrap();
    Mark {
        set: SensitiveSet {
            labels: vec![0, 1, 1, 0],
            label_space: LabelSpace::Head,
            key_check: Some(key.check("mine")),
            ..mark().set
        },
        key: Some(key),
        ..mark()
    }
}

#[test]
fn a_mark_survives_its_file() {
    for mark in [mark(), keyed()] {
        let bytes = mark.to_bytes(&signer()).unwrap();
        let signed = Signed::from_bytes(&bytes).unwrap();
        assert_eq!(signed.mark, mark);
        assert_eq!(signed.by, signer().public());
        assert_eq!(bytes, mark.to_bytes(&signer()).unwrap(), "the same bits");
    }
}

#[test]
fn a_mark_of_version_1_is_read() {
    let mut mark = mark();
    mark.about.measured.profiles.clear();
    let bytes = mark.to_bytes(&signer()).unwrap();
    let (public, rest) = (&bytes[13..45], &bytes[109..]);
    // Version 1 had the same content, without heads and profiles.
    let line = b"brink mark 1\n";
    let signature = signer().sign(&[&line[..], public, rest].concat());
    let old = [&line[..], public, &signature, rest].concat();
    assert_eq!(Signed::from_bytes(&old).unwrap().mark, mark);
    // The signature covers the version.
    let forged = [&line[..], public, &bytes[45..]].concat();
    assert!(matches!(Signed::from_bytes(&forged), Err(Error::Signature)));
}

#[test]
fn a_key_or_profile_that_does_not_fit_is_refused() {
    let error = |mark: Mark| mark.to_bytes(&signer()).unwrap_err().to_string();
    let headless = error(Mark {
        key: None,
        ..keyed()
    });
    assert!(headless.contains("the key does not fit"), "{headless}");
    let idle = error(Mark {
        key: keyed().key,
        ..mark()
    });
    assert!(idle.contains("the key does not fit"), "{idle}");
    let mut long = mark();
    long.about.measured.profiles[0].labels = vec![0; 6];
    let long = error(long);
    assert!(
        long.contains("the profile `images sent as JPEG` has 6 labels, and the set 4"),
        "{long}"
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let whole = mark().to_bytes(&signer()).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Signed::from_bytes(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let whole = mark().to_bytes(&signer()).unwrap();
    for length in 0..whole.len() {
        assert!(Signed::from_bytes(&whole[..length]).is_err(), "{length}");
    }
    let longer = [&whole[..], b" "].concat();
    assert!(matches!(Signed::from_bytes(&longer), Err(Error::Signature)));
}

/// An attacker cannot pass as the owner, only sign as herself.
#[test]
fn a_mark_that_another_key_signed_names_that_key() {
    let other = Signer::from_seed(&Zeroizing::new([8; 32]));
    let signed = Signed::from_bytes(&mark().to_bytes(&other).unwrap()).unwrap();
    assert_ne!(signed.by, signer().public());
    // The owner's name under a stranger's signature.
    let mut bytes = mark().to_bytes(&other).unwrap();
    bytes[13..45].copy_from_slice(&signer().public().to_bytes());
    assert!(matches!(Signed::from_bytes(&bytes), Err(Error::Signature)));
}

#[test]
fn files_of_something_else_are_told_apart() {
    assert!(matches!(Signed::from_bytes(b""), Err(Error::Foreign)));
    assert!(matches!(
        Signed::from_bytes(b"PK\x03\x04"),
        Err(Error::Foreign)
    ));
    let newer = Signed::from_bytes(b"brink mark 3\nanything").unwrap_err();
    assert!(matches!(newer, Error::Format { found: 3 }), "{newer}");
}

#[test]
fn what_is_no_mark_is_not_signed() {
    let singles = Mark {
        set: SensitiveSet {
            layout: Layout::Singles,
            ..mark().set
        },
        ..mark()
    };
    let error = singles.to_bytes(&signer()).unwrap_err().to_string();
    assert!(error.contains("not pairs"), "{error}");
    // A promise that its own measurement breaks.
    let mut noisy = mark();
    noisy.about.measured.flipped = Rate::new(80, 150);
    let error = noisy.to_bytes(&signer()).unwrap_err().to_string();
    assert!(error.contains("cannot be told from it"), "{error}");
}

#[test]
fn the_promise_splits_the_false_alarms_between_bound_and_test() {
    let risks = PROMISE.risks(Rate::new(0, 150)).unwrap();
    assert_eq!(risks.false_alarm(), 5e-4);
    assert!((1.0 - risks.noise()).powi(150) - 5e-4 < 1e-9);
    // 64 images at most, of an untouched model.
    assert!(2 * risks.least_pairs() <= 64, "{}", risks.least_pairs());
}

#[test]
fn fuzz() {
    for mark in [mark(), keyed()] {
        let whole = mark.to_bytes(&signer()).unwrap();
        for mut dice in fuzz::rounds(10_000) {
            let damaged = fuzz::damaged(&whole, &mut dice);
            if let Ok(signed) = Signed::from_bytes(&damaged) {
                assert_eq!((&signed.mark, signed.by), (&mark, signer().public()));
            }
        }
    }
}
