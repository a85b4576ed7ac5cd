//! The checksum of a record: a SHA-256 of every byte before it, in the last field of the JSON.
//!
//! It detects damage and edits. It is not a signature: anyone who knows the format can correct it.

use sha2::{Digest, Sha256};

/// The text between the fields of a record and the digits of its checksum, and the text after them.
const BEFORE: &[u8] = b",\n  \"sha256\": \"";
const AFTER: &[u8] = b"\"\n}\n";

/// The number of hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// The state of a file's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is present and right.
    Fits,
    /// The file has no checksum.
    Missing,
    /// It is present and wrong.
    Broken,
}

/// Appends the checksum to `json`, a non-empty object as `serde_json` pretty-prints it.
pub fn append(json: &[u8]) -> Vec<u8> {
    let fields = json.strip_suffix(b"\n}").unwrap_or(json);
    let sum = hex(&[fields]);
    [fields, BEFORE, sum.as_bytes(), AFTER].concat()
}

/// Checks the checksum of a file.
pub fn look(bytes: &[u8]) -> Checksum {
    let parts = bytes.strip_suffix(AFTER).and_then(|rest| {
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        Some((rest.strip_suffix(BEFORE)?, digits))
    });
    match parts {
        None => Checksum::Missing,
        Some((fields, digits)) if hex(&[fields]).as_bytes() == digits => Checksum::Fits,
        Some(_) => Checksum::Broken,
    }
}

/// The SHA-256 of the concatenated parts, in hexadecimal digits.
pub fn hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let sum = hash.finalize();
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let written = append(b"{\n  \"format\": 2\n}");
        assert_eq!(look(&written), Checksum::Fits);
        let json: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(json["sha256"], hex(&[b"{\n  \"format\": 2"]));
        for byte in 0..written.len() {
            for bit in 0..8 {
                let mut damaged = written.clone();
                damaged[byte] ^= 1 << bit;
                assert_ne!(look(&damaged), Checksum::Fits, "byte {byte}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_known_sum() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex(&[b"a", b"bc"]),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(look(b""), Checksum::Missing);
        assert_eq!(look(b"{}\n"), Checksum::Missing);
    }
}
