//! Numbers: decimal digits with an optional point and exponent. The rule is the same for every field.
//!
//! Other YAML readers accept more notations and disagree about them: `017` is 17 or 15, `1_000` is a number or text.
//! Here they are not numbers, and [`fix`] says what to write instead.

use super::scalar::Typed;

/// Reads `word` as a number.
pub(super) fn read(word: &str) -> Option<Typed> {
    let parts = Parts::of(word)?;
    if parts.whole.len() > 1 && parts.whole.starts_with('0') {
        return None;
    }
    if parts.is_whole {
        let whole = word.parse().map(Typed::Unsigned);
        if let Ok(number) = whole.or_else(|_| word.parse().map(Typed::Signed)) {
            return Some(number);
        }
    }
    parts.float().ok().map(Typed::Float)
}

/// What to write instead of `word`, which was read as text but may be meant as a number.
pub(super) fn fix(word: &str) -> Option<String> {
    if read(word).is_some() {
        return Some("it is text; remove the quotes".to_owned());
    }
    let unsigned = word.trim_start_matches(['+', '-']);
    let sign = &word[..word.len() - unsigned.len()];
    let lower = unsigned.to_lowercase();
    if matches!(lower.as_str(), ".inf" | "inf" | "infinity" | ".nan" | "nan") {
        return Some("write a finite number".to_owned());
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let number = u64::from_str_radix(&digits.replace('_', ""), radix).ok()?;
            return Some(format!("write it in decimal digits: `{sign}{number}`"));
        }
    }
    if let Some(parts) = Parts::of(word) {
        return Some(match parts.float() {
            Err(OutOfRange::Small) => {
                "it is too close to 0 for a 64-bit number; write 0, or at least 1e-307".to_owned()
            }
            Err(OutOfRange::Large) => {
                "it is too large for a 64-bit number; write at most 1e308".to_owned()
            }
            Ok(_) => {
                let digits = unsigned.trim_start_matches('0');
                let zero = if digits.starts_with(|c: char| c.is_ascii_digit()) {
                    ""
                } else {
                    "0"
                };
                format!(
                    "write `{sign}{zero}{digits}`: other YAML readers take leading zeros for octal"
                )
            }
        });
    }
    let sixty = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if word.contains(':') && unsigned.split(':').all(sixty) {
        return Some("write one decimal number: base 60 is not supported".to_owned());
    }
    let plain = word.replace('_', "");
    if read(&plain).is_some() {
        return Some(format!("write `{plain}`"));
    }
    let point = word.replace(',', ".");
    if read(&point).is_some() {
        return Some(format!("write `{point}`"));
    }
    None
}

enum OutOfRange {
    Small,
    Large,
}

/// A word of the form `-12.5e-3`.
struct Parts<'a> {
    word: &'a str,
    /// The digits before the point.
    whole: &'a str,
    /// All digits before the exponent.
    mantissa: &'a str,
    /// Whether it has neither a point nor an exponent.
    is_whole: bool,
}

impl<'a> Parts<'a> {
    fn of(word: &'a str) -> Option<Self> {
        let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let some_digit = mantissa.bytes().any(|b| b.is_ascii_digit());
        let exponent_is_one = exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        });
        let is_number =
            some_digit && digits(whole) && fraction.is_none_or(digits) && exponent_is_one;
        is_number.then_some(Self {
            word,
            whole,
            mantissa,
            is_whole: fraction.is_none() && exponent.is_none(),
        })
    }

    /// Its value. A nonzero number must not become 0.
    fn float(&self) -> Result<f64, OutOfRange> {
        let value: f64 = self.word.parse().unwrap_or(f64::INFINITY);
        let is_zero = self.mantissa.bytes().all(|b| matches!(b, b'0' | b'.'));
        if !value.is_finite() {
            Err(OutOfRange::Large)
        } else if value == 0.0 && !is_zero {
            Err(OutOfRange::Small)
        } else {
            Ok(value)
        }
    }
}
