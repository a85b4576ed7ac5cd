//! Initial weights from a file. The checksum of the file is part of the id of the target.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::Digest;

/// Weights from a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// A safetensors file or a PyTorch file, old or new, with torchvision's names of tensors. A relative path is looked
    /// up in the data folder, or in the current folder if there is no data folder.
    pub weights: PathBuf,
    /// Its expected SHA-256. With it, tables can be made without the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// `new` replaces the classifier, for a file that was trained on other classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// What to do with the classifier of a file.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// Draw it at random.
    New,
}

impl Init {
    /// The path of the file. A relative one is looked up in `data`.
    pub fn path(&self, data: Option<&Path>) -> PathBuf {
        data.map_or_else(|| self.weights.clone(), |data| data.join(&self.weights))
    }
}

/// A SHA-256: 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256(String);

impl Sha256 {
    /// The SHA-256 of a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::read(path)?))
    }

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let sum = sha2::Sha256::digest(bytes);
        Self(sum.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 64 && digits {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a SHA-256 of 64 hexadecimal digits in lower case"
            ))
        }
    }
}
