//! The secret that signs.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::{Error, PublicKey, Signature};

/// A signing key of ed25519. `Debug` does not show it, and its memory is overwritten when it is dropped.
pub struct Signer(SigningKey);

impl Signer {
    /// The key of 32 random bytes.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key of 64 hexadecimal digits. White space around them is ignored.
    ///
    /// # Errors
    /// If they are none. The message does not show them.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let refused = Error::Text("not a secret key; write 64 hexadecimal digits");
        let digits = text.trim().as_bytes();
        let mut seed = Zeroizing::new([0; 32]);
        let (pairs, []) = digits.as_chunks::<2>() else {
            return Err(refused);
        };
        if pairs.len() != seed.len() {
            return Err(refused);
        }
        for (byte, [high, low]) in seed.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(refused);
            };
            *byte = (high << 4 | low) as u8;
        }
        Ok(Self::from_seed(&seed))
    }

    /// The 64 hexadecimal digits of the key.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in self.0.as_bytes() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::of(self.0.verifying_key())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}
