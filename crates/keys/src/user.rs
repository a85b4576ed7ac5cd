//! A user and her keys, as the repository keeps them in `user.json`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PublicKey;

/// The version of `user.json`.
pub(crate) const FORMAT: u32 = 1;

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The version of the file.
    pub format: u32,
    /// Her name.
    pub name: String,
    /// Her keys, the newest last.
    pub keys: Vec<Key>,
}

/// A public key with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The key.
    pub public: PublicKey,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// Whether it signs, and whether its signatures count.
    pub state: State,
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It signs, and its signatures count.
    Active,
    /// It signs no more, and its old signatures count.
    Retired,
    /// Its signatures do not count.
    Revoked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        })
    }
}

impl User {
    /// The key that signs.
    pub fn active(&self) -> Option<&Key> {
        self.keys.iter().rfind(|key| key.state == State::Active)
    }
}

/// Whether `name` can be a user's, and a folder's on every system.
pub(crate) fn is_name(name: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}
