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
        if text == "store" {
            return Err(
                "`store` is where the records of all grids lie; choose another name".to_owned(),
            );
        }
        let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if text.is_empty() || !text.bytes().all(plain) {
            return Err(format!(
                "`{text}` cannot name a folder of results; use lower-case letters, digits, `-` and `_`, e.g. table3"
            ));
        }
        Ok(Self(text))
    }
}
