//! Names that are also folders.

use serde::{Deserialize, Serialize};

/// Lower-case letters, digits, `-` and `_`: a folder's name on every system.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        // `store` is where all grids' records lie.
        if text.is_empty() || !text.bytes().all(plain) || text == "store" {
            return Err(format!(
                "`{text}` cannot name a folder of results; use lower-case letters, digits, `-` and `_`, e.g. table3"
            ));
        }
        Ok(Self(text))
    }
}
