//! The user's secret, and the keys derived from it (paper, section III-A: the weights of the last layer come from a key).
//!
//! HKDF-SHA256 derives 32-byte keys from secret and model id, one per purpose: the model's head; a check value in the file of a set, so
//! that a wrong key is refused instead of giving random verdicts; and the key of the set's [`Seal`].

use std::fmt;

use brink_random::Stream;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::head::Head;

const SALT: &[u8] = b"brink fragile watermark, version 1";

/// A secret that only the verifier knows. `Debug` does not show it.
///
/// The key check in the file of a set lets anyone with the file test guesses offline. So use at least 16 random bytes, not a word.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    /// A key in hexadecimal digits; white space around it is ignored.
    ///
    /// # Errors
    /// If a character is not a hexadecimal digit, a digit is missing, or the key has fewer than 16 bytes.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        const LEAST: usize = 16;
        let digits: Vec<u8> = text
            .trim()
            .chars()
            .enumerate()
            .map(|(i, c)| match c.to_digit(16) {
                Some(digit) => Ok(digit as u8),
                None => Err(Error::KeyDigits { at: i + 1 }),
            })
            .collect::<Result<_, _>>()?;
        let (bytes, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Error::KeyDigits { at: digits.len() });
        }
        Self::checked(
            bytes.iter().map(|[high, low]| high << 4 | low).collect(),
            LEAST,
        )
    }

    /// A key that consists of the bytes of a passphrase.
    ///
    /// # Errors
    /// If the passphrase is empty.
    pub fn from_passphrase(passphrase: &[u8]) -> Result<Self, Error> {
        Self::checked(passphrase.to_vec(), 1)
    }

    /// The hexadecimal digits that [`from_hex`](Self::from_hex) reads: the secret itself.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn checked(bytes: Vec<u8>, least: usize) -> Result<Self, Error> {
        if bytes.len() < least {
            return Err(Error::ShortKey {
                bytes: bytes.len(),
                least,
            });
        }
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The keyed head of the model `model_id` with `classes` logits.
    ///
    /// # Panics
    /// If `classes` is 0.
    pub fn head(&self, model_id: &str, classes: usize) -> Head {
        Head::draw(
            classes,
            &mut Stream::from_key(self.derive("head", model_id)),
        )
    }

    /// A check value that recognises this key for `model_id` without revealing it.
    pub fn check(&self, model_id: &str) -> KeyCheck {
        let mut check = [0; 16];
        check.copy_from_slice(&self.derive("check", model_id)[..16]);
        KeyCheck(check)
    }

    /// The HMAC-SHA256 of `message` for `model_id`. Only the owner of this key can make it.
    pub(crate) fn seal(&self, model_id: &str, message: &[u8]) -> Seal {
        Seal(self.mac(model_id, message).finalize().into_bytes().into())
    }

    /// Whether this key made `seal`. The time does not depend on where the two differ.
    pub(crate) fn opens(&self, seal: &Seal, model_id: &str, message: &[u8]) -> bool {
        self.mac(model_id, message).verify_slice(&seal.0).is_ok()
    }

    fn mac(&self, model_id: &str, message: &[u8]) -> Hmac<Sha256> {
        let key = self.derive("seal", model_id);
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.chain_update(message)
    }

    /// 32 bytes for `purpose`, which has no zero byte, and `model_id`.
    fn derive(&self, purpose: &str, model_id: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let info = [purpose.as_bytes(), &[0], model_id.as_bytes()];
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand_multi_info(&info, &mut key)
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        key
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Recognises the right key without revealing it: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyCheck([u8; 16]);

impl fmt::Display for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCheck({self})")
    }
}

impl From<KeyCheck> for String {
    fn from(check: KeyCheck) -> Self {
        check.to_string()
    }
}

impl TryFrom<String> for KeyCheck {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        bytes(&text).map(Self).ok_or_else(|| {
            format!("`{text}` is not a key check of 32 hexadecimal digits in lower case")
        })
    }
}

/// The seal on the file of a set, which only the owner's key can make: 64 hexadecimal digits.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Seal([u8; 32]);

impl From<Seal> for String {
    fn from(seal: Seal) -> Self {
        seal.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for Seal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        bytes(&text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a seal of 64 hexadecimal digits in lower case"))
    }
}

/// The bytes of `text`, which has two lower-case hexadecimal digits per byte.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let all: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    all?.try_into().ok()
}
