//! How much of the paper's work is done: minutes on a desk, or the paper's own numbers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The size of a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Minutes on two cores: fewer pairs, iterations and seeds than the paper.
    #[default]
    Desk,
    /// The paper's own setting.
    Paper,
}

/// The text names no [`Scale`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scale `{0}`; write `desk` or `paper`")]
pub struct Unknown(String);

impl Scale {
    /// Every scale, smallest first.
    pub const ALL: [Self; 2] = [Self::Desk, Self::Paper];

    /// What a title says after its subject: nothing at the paper's scale, a warning below it.
    pub fn title_suffix(self) -> &'static str {
        match self {
            Self::Desk => " (desk scale)",
            Self::Paper => "",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Paper => "paper",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scale {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|scale| scale.name() == text)
            .ok_or_else(|| Unknown(text.to_owned()))
    }
}
