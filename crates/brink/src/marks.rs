//! A mark on the command line, and whose signature counts.

use std::path::{Path, PathBuf};

use brink_keys::PublicKey;
use brink_mark::Signed;
use clap::Args;

use crate::secret::Keyring;

/// A mark, and whose signature counts.
#[derive(Args)]
pub struct Trusted {
    /// The file of `brink protect`.
    #[arg(value_name = "MARK")]
    pub path: PathBuf,
    /// The public key that must have signed it [default: any user's in the repository].
    #[arg(long, value_name = "KEY")]
    signer: Option<PublicKey>,
    #[command(flatten)]
    pub keyring: Keyring,
}

impl Trusted {
    /// The mark, after its signature was checked.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or nobody who is trusted signed it.
    pub fn read(&self) -> anyhow::Result<Signed> {
        read(&self.path, self.signer, &self.keyring)
    }
}

/// The mark in `path`, which `signer` must have signed, or else a user of the repository.
///
/// # Errors
/// If it cannot be read, is damaged, or nobody who is trusted signed it.
pub fn read(path: &Path, signer: Option<PublicKey>, keyring: &Keyring) -> anyhow::Result<Signed> {
    let repository = keyring.repository()?;
    Ok(brink_owner::trusted(path, signer, Some(&repository))?)
}
