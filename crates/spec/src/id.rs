//! Names of steps: the hash of all that went into a step, so that equal work has equal names and is done once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of a step: 16 lower-case hexadecimal digits.
///
/// ```
/// let id = spec::Id::of(&("finetune", 1e-5, 3))?;
/// assert_eq!(id, id.to_string().parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id(u64);

/// The value cannot be written as JSON, hence has no [`Id`].
#[derive(Debug, thiserror::Error)]
#[error("no identifier for this value: it cannot be written as JSON; give its maps text keys")]
pub struct Unwritable(#[source] serde_json::Error);

/// The text is not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an identifier; write 16 hexadecimal digits in lower case, e.g. 0123456789abcdef"
)]
pub struct Malformed(String);

impl Id {
    /// The name of whatever `content` holds: the first 8 bytes of BLAKE3 over its canonical JSON.
    ///
    /// Canonical means: no white space, the keys of every object sorted. The order of fields does not matter; their
    /// names, their values and whether a number is whole or not (`1`, `1.0`) do. JSON has no NaN or infinity and writes
    /// both as `null`: let only [checked](crate::checked) numbers in.
    ///
    /// # Errors
    /// If `content` has a map whose keys are not text or its `Serialize` implementation fails.
    pub fn of(content: &impl Serialize) -> Result<Self, Unwritable> {
        let mut json = serde_json::to_value(content).map_err(Unwritable)?;
        json.sort_all_objects();
        let hash = blake3::hash(json.to_string().as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.as_bytes()[..8]);
        Ok(Self(u64::from_be_bytes(head)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:016x}", self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let canonical =
            text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(value) if canonical => Ok(Self(value)),
            _ => Err(Malformed(text.to_owned())),
        }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}
