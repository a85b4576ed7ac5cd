//! Where the owner's secret comes from.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use verify::SecretKey;

use super::first_part;

/// The environment variable that takes the place of the grid's key.
pub const VARIABLE: &str = "BRINK_KEY";

/// A change of a field of the grid (`path=value`) as others may see it: `KEY` stands for the secret.
pub fn without_secret(change: &str) -> String {
    match change.split_once('=') {
        Some((path, _)) if first_part(change) == "key" => format!("{path}=KEY"),
        _ => change.to_owned(),
    }
}

/// A key in a grid file.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// The bytes of a text, for experiments.
    Passphrase(String),
    /// At least 32 hexadecimal digits.
    Hex(String),
}

impl Key {
    /// The key in force, and where it is from: that of `file` (hexadecimal digits), else of `BRINK_KEY`, else this one, which stands at `place` of the grid.
    ///
    /// # Errors
    /// If the one in force is no key; the message does not show it.
    pub fn in_force(
        &self,
        place: &str,
        file: Option<&Path>,
        variable: Option<&str>,
    ) -> anyhow::Result<(SecretKey, &'static str)> {
        if let Some(path) = file {
            let at = || format!("--key-file {}", path.display());
            let digits = fs::read_to_string(path).with_context(at)?;
            let key = SecretKey::from_hex(&digits).with_context(at)?;
            return Ok((key, "--key-file"));
        }
        if let Some(digits) = variable {
            return Ok((SecretKey::from_hex(digits).context(VARIABLE)?, VARIABLE));
        }
        let key = match self {
            Self::Passphrase(text) => SecretKey::from_passphrase(text.as_bytes()),
            Self::Hex(digits) => SecretKey::from_hex(digits),
        };
        let key = key.with_context(|| place.to_owned())?;
        Ok((key, "the grid file"))
    }
}
