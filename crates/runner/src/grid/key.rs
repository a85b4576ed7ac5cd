//! The owner's secret key and its sources.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, bail};
use brink_config::yaml::Veil;
use brink_verify::SecretKey;
use serde::Deserialize;

use super::fields::{fields, first_part};
use super::{Grid, text};

/// The environment variable that replaces the key of the grid.
pub const VARIABLE: &str = "BRINK_KEY";

/// Keeps the key out of messages about a grid.
pub fn veil() -> Veil {
    static TOP: LazyLock<Vec<&'static str>> = LazyLock::new(fields);
    Veil {
        secret: &["key", "passphrase", "hex"],
        top: &TOP,
        fix: "write key: {passphrase: \"TEXT\"} or key: {hex: \"DIGITS\"}",
    }
}

/// A valid override (`path=value`) without the secret. `KEY` stands for the secret.
pub fn without_secret(change: &str) -> String {
    match first_part(change) {
        "key" => veil().change(change, "KEY"),
        _ => change.to_owned(),
    }
}

/// Whether an argument of the command line may hold the secret key.
pub fn may_tell(argument: &str) -> bool {
    argument.contains(['=', ':']) && veil().is_like_secret(argument)
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
    /// The key in use and its source. It is the key in `file` (hexadecimal digits), else `variable`, the value of
    /// `BRINK_KEY`, else this key of the grid.
    ///
    /// # Errors
    /// If the file cannot be read or the key is invalid. The message does not show the key.
    pub fn in_force(
        &self,
        grid: &Grid,
        file: Option<&Path>,
        variable: Option<&str>,
    ) -> anyhow::Result<(SecretKey, &'static str)> {
        if let Some(path) = file {
            if !path.exists() {
                // The argument may be the key itself.
                bail!(
                    "--key-file: there is no such file (its name is not shown, because it may be the key); name a file that holds the digits of the key"
                );
            }
            let at = || format!("--key-file {}", path.display());
            let digits = text::read(path).with_context(at)?;
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
        match key {
            Ok(key) => Ok((key, "the grid file")),
            Err(error) => Err(grid.error("key", error)),
        }
    }
}
