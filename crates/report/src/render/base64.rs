//! Bytes as text (RFC 4648), for what a page or a figure holds.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, i| {
            word << 8 | u32::from(*chunk.get(i).unwrap_or(&0))
        });
        for nth in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * nth) & 63) as usize];
            out.push(if nth > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    out
}

/// Text as bytes, if it is in base 64.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let word = chunk.iter().try_fold(0u32, |word, letter| {
            let value = LETTERS.iter().position(|own| own == letter)?;
            Some(word << 6 | value as u32)
        })?;
        let word = word << (6 * (4 - chunk.len()));
        out.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
            assert_eq!(bytes(text).unwrap(), plain.as_bytes());
        }
        assert_eq!(bytes("a<b"), None);
    }
}
