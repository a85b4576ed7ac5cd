//! From the secret to the head: known answers, ranges and separation; and nothing reveals the secret.

use brink_verify::{Error, Head, KeyCheck, SecretKey};
use proptest::prelude::*;

fn key() -> SecretKey {
    SecretKey::from_hex(" 000102030405060708090A0B0C0D0E0F\n").unwrap()
}

#[test]
fn the_head_of_a_key_is_known_to_the_bit() {
    // Computed a second time in Python: HKDF out of `hmac`, the ChaCha20 block function of RFC 8439, f32 rounding.
    let weight = [
        0xbf98fac1, 0xbeaef700, 0x3f661d6e, 0xbfa20ed5, 0xbe0d9ee8, 0x3f350d76,
    ];
    let bias = [0xbd174320, 0xbf03deba];
    let head = key().head("resnet18", 3);
    assert_eq!(
        head,
        Head::new(
            weight.map(f32::from_bits).to_vec(),
            bias.map(f32::from_bits)
        )
        .unwrap()
    );
    assert_eq!(
        key().check("resnet18").to_string(),
        "ca3e7bddeb0e2a0bbe3ee2441d1c624e"
    );
}

#[test]
fn every_key_and_every_model_has_its_own_head_and_check() {
    let other = SecretKey::from_passphrase(b"another secret").unwrap();
    let head = key().head("resnet18", 10);
    assert_eq!(head, key().head("resnet18", 10));
    assert_ne!(head, key().head("resnet20", 10));
    assert_ne!(head, other.head("resnet18", 10));
    let checks = [
        key().check("resnet18"),
        key().check("resnet20"),
        other.check("resnet18"),
    ];
    assert!(checks[0] != checks[1] && checks[0] != checks[2] && checks[1] != checks[2]);
}

#[test]
fn nothing_shows_the_secret() {
    let key = SecretKey::from_passphrase(b"correct horse").unwrap();
    assert_eq!(format!("{key:?}"), "SecretKey(..)");
    assert_eq!(
        format!("{:?}", key.head("m", 10)),
        "Head { classes: 10, .. }"
    );
    let error = SecretKey::from_hex("00112233445566778899aabbccddeefg")
        .unwrap_err()
        .to_string();
    assert!(!error.contains("0011"), "{error}");
    assert!(error.contains("character 32"), "{error}");
}

#[test]
fn secrets_that_are_none_are_refused() {
    let hex = |text| SecretKey::from_hex(text).unwrap_err();
    assert!(matches!(
        hex(""),
        Error::ShortKey {
            bytes: 0,
            least: 16
        }
    ));
    assert!(matches!(
        hex("00112233445566778899aabbccddee"),
        Error::ShortKey {
            bytes: 15,
            least: 16
        }
    ));
    assert!(matches!(
        hex("00112233445566778899aabbccddeeff0"),
        Error::KeyDigits { at: 33 }
    ));
    assert!(matches!(
        hex("0x112233445566778899aabbccddeeff"),
        Error::KeyDigits { at: 2 }
    ));
    assert!(matches!(
        SecretKey::from_passphrase(b"").unwrap_err(),
        Error::ShortKey { .. }
    ));
}

#[test]
fn a_head_of_odd_or_infinite_numbers_is_refused() {
    for weight in [
        vec![],
        vec![1.0; 3],
        vec![1.0, f32::NAN],
        vec![f32::INFINITY, 1.0],
    ] {
        assert!(matches!(
            Head::new(weight, [0.0; 2]),
            Err(Error::HeadWeights { .. })
        ));
    }
    assert!(Head::new(vec![1.0; 2], [f32::NAN, 0.0]).is_err());
}

#[test]
fn outputs_are_one_rounding_a_class() {
    // 2^24 + 1 is no f32: only a fused multiply-add keeps the 1 of 4097^2 = 2^24 + 2^13 + 1 until -2^24 has gone.
    let head = Head::new(vec![4097.0, 1.0, 0.0, 0.0], [-16_777_216.0, 0.5]).unwrap();
    assert_eq!(head.logits(&[4097.0, 1.0]), [8194.0, 0.5]);
    assert_eq!(head.margin(&[4097.0, 1.0]), 8193.5);
}

#[test]
fn a_check_reads_back_and_only_from_its_own_text() {
    let check = key().check("m");
    let json = serde_json::to_string(&check).unwrap();
    assert_eq!(serde_json::from_str::<KeyCheck>(&json).unwrap(), check);
    for text in [
        "",
        "00",
        "+0000000000000000000000000000000",
        "CA3E7BDDEB0E2A0BBE3EE2441D1C624E",
    ] {
        assert!(
            serde_json::from_value::<KeyCheck>(text.into()).is_err(),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn heads_keep_the_ranges_of_kaiming_uniform(secret in prop::collection::vec(any::<u8>(), 1..40), classes in 1usize..200) {
        let head = SecretKey::from_passphrase(&secret).unwrap().head("m", classes);
        prop_assert_eq!((head.classes(), head.weight().len()), (classes, 2 * classes));
        let n = classes as f32;
        prop_assert!(head.weight().iter().all(|w| w.abs() <= (6.0 / n).sqrt()));
        prop_assert!(head.bias().iter().all(|b| b.abs() <= 1.0 / n.sqrt()));
    }

    #[test]
    fn more_classes_fill_the_range(classes in 50usize..200, seed: u64) {
        let head = SecretKey::from_passphrase(&seed.to_le_bytes()).unwrap().head("m", classes);
        let largest = head.weight().iter().fold(0f32, |most, w| most.max(w.abs()));
        prop_assert!(largest > 0.8 * (6.0 / classes as f32).sqrt(), "{largest}");
    }
}
