//! Identifiers of steps. An identifier is the hash of all inputs of a step, so equal work is done once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The identifier of a step: 64 bits, written as 16 lower-case hexadecimal digits.
///
/// ```
/// let id = brink_store::Id::of(&("finetune", 1e-5, 3))?;
/// assert_eq!(id, id.to_string().parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id(u64);

/// The value cannot be written as JSON, so it has no [`Id`].
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
    /// The identifier of `content`: the first 8 bytes of BLAKE3 over its canonical JSON.
    ///
    /// Canonical JSON has no white space and sorts the keys of every object. So the order of fields does not matter.
    /// Names and values of fields matter, and so does the type of a number: `1` and `1.0` differ. JSON writes NaN and
    /// infinity as `null`, so pass only checked numbers.
    ///
    /// # Errors
    /// If `content` has a map whose keys are not text, or if its `Serialize` implementation fails.
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
