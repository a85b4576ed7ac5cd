//! The size of a run: minutes on a desk, the paper's own numbers, or a custom size.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The size of a run, by its name: 1 to 30 lower-case letters, digits and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Scale(&'static str);

/// The text cannot name a [`Scale`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a scale; use lower-case letters, digits and `-`, 30 at most")]
pub struct Unfit(String);

/// The longest name of a scale, in bytes.
const LONGEST: usize = 30;

impl Scale {
    /// Minutes on two cores: fewer pairs, iterations and seeds than the paper.
    pub const DESK: Self = Self("desk");

    /// The paper's own setting.
    pub const PAPER: Self = Self("paper");

    /// Checks that `text` can name a scale.
    ///
    /// # Errors
    /// If `text` is empty, longer than 30 bytes, or has another character than `a-z`, `0-9` and `-`.
    pub fn check(text: &str) -> Result<(), Unfit> {
        let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        match (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(()),
            false => Err(Unfit(text.to_owned())),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The suffix of a title: empty at the paper's scale, and ` (NAME scale)` at any other scale.
    pub fn title_suffix(self) -> String {
        match self {
            Self::PAPER => String::new(),
            Self(name) => format!(" ({name} scale)"),
        }
    }
}

impl Default for Scale {
    fn default() -> Self {
        Self::DESK
    }
}

impl From<Scale> for &'static str {
    fn from(scale: Scale) -> Self {
        scale.0
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl FromStr for Scale {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        Self::check(text)?;
        let known = [Self::DESK, Self::PAPER]
            .into_iter()
            .find(|own| own.0 == text);
        // A process reads few scales, so it can keep their names until it ends.
        Ok(known.unwrap_or_else(|| Self(text.to_owned().leak())))
    }
}

impl TryFrom<String> for Scale {
    type Error = Unfit;

    fn try_from(text: String) -> Result<Self, Unfit> {
        text.parse()
    }
}
