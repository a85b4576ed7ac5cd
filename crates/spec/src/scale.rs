//! How much of the paper's work is done: minutes on a desk, the paper's own numbers, or a size of one's own.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The size of a run, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Scale(&'static str);

/// The text cannot name a [`Scale`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a scale; use lower-case letters, digits and `-`, 30 at most")]
pub struct Unfit(String);

/// A scale's longest name.
const LONGEST: usize = 30;

impl Scale {
    /// Minutes on two cores: fewer pairs, iterations and seeds than the paper.
    pub const DESK: Self = Self("desk");

    /// The paper's own setting.
    pub const PAPER: Self = Self("paper");

    /// Whether `text` can name a scale.
    ///
    /// # Errors
    /// If it cannot.
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

    /// What a title says after its subject: nothing at the paper's scale, a warning at any other.
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
        // A process has one scale of its own, so a name may live as long as the process.
        Ok(known.unwrap_or_else(|| Self(text.to_owned().leak())))
    }
}

impl TryFrom<String> for Scale {
    type Error = Unfit;

    fn try_from(text: String) -> Result<Self, Unfit> {
        text.parse()
    }
}
