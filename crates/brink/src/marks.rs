//! Marks on disk, and whom to trust.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brink_keys::{PublicKey, Trust};
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
        let at = || self.path.display().to_string();
        let signed = read(&self.path)?;
        let by = signed.by;
        if let Some(signer) = self.signer
            && by != signer
        {
            bail!(
                "{}: {by} signed it, not {signer}; ask its owner for the right file",
                at()
            );
        }
        match self.keyring.repository()?.trust(by)? {
            Trust::Of(_) => Ok(signed),
            Trust::Revoked(user) => bail!(
                "{}: {by} signed it, a revoked key of {user}; protect the model again with a fresh key",
                at()
            ),
            Trust::Unknown if self.signer.is_some() => Ok(signed),
            Trust::Unknown => bail!(
                "{}: {by} signed it, who is no user of the repository; give --signer with the owner's public key, or --keys",
                at()
            ),
        }
    }
}

/// A mark whose signature fits, whoever made it.
///
/// # Errors
/// If it cannot be read or is damaged.
pub fn read(path: &Path) -> anyhow::Result<Signed> {
    let at = || path.display().to_string();
    let bytes = fs::read(path).with_context(at)?;
    Signed::from_bytes(&bytes).with_context(at)
}

/// Checks that a mark can be written to `path`, before any work.
///
/// # Errors
/// If its folder does not exist.
pub fn check_folder(path: &Path) -> anyhow::Result<()> {
    let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
    match path.parent() {
        Some(folder) if !folder.is_dir() => bail!(
            "--out {}: the folder {} does not exist; create it",
            path.display(),
            folder.display()
        ),
        _ => Ok(()),
    }
}

/// Writes a mark that only its owner can read.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // The folder of a bare name is the one that the program runs in.
    let path = &std::path::absolute(path).with_context(|| path.display().to_string())?;
    brink_store::write_atomically(path, bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}
