//! Names that are also names of folders.

use serde::{Deserialize, Serialize};

/// The name of a folder that is valid on every system: 1 to 100 lower-case letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

/// Names that Windows reserves for devices.
const RESERVED: &[&str] = &[
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7",
    "com8", "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The longest name, in bytes. Every file system takes it, with room for an ending.
const LONGEST: usize = 100;

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
                "`store` is the folder of the records of all grids; choose another name".to_owned(),
            );
        }
        if RESERVED.contains(&text.as_str()) {
            return Err(format!(
                "`{text}` names a device on Windows, so no folder can have this name there; choose another name, e.g. {text}-1"
            ));
        }
        let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if text.is_empty() || !text.bytes().all(plain) {
            return Err(format!(
                "`{text}` cannot name a folder of results; use lower-case letters, digits, `-` and `_`, e.g. table3"
            ));
        }
        if text.len() > LONGEST {
            return Err(format!(
                "a name of {} letters is too long for a folder of results; use {LONGEST} at most",
                text.len()
            ));
        }
        Ok(Self(text))
    }
}
