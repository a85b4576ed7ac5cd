//! Marks on disk, and whom to trust.

use std::fs;
use std::path::Path;

use brink_keys::{PublicKey, Repository, Trust};
use brink_mark::Signed;

use crate::error::Error;

/// The mark in `path`, after its signature was checked: by `signer` if one is named, else by a user of the `repository`, if there is one.
/// A key that the repository revoked counts in no case.
///
/// # Errors
/// If it cannot be read, is damaged, or nobody who is trusted signed it.
pub fn trusted(
    path: &Path,
    signer: Option<PublicKey>,
    repository: Option<&Repository>,
) -> Result<Signed, Error> {
    let signed = read(path)?;
    let by = signed.by;
    let fail = |problem: String| Err(Error::file(path, problem));
    if let Some(signer) = signer
        && by != signer
    {
        return fail(format!(
            "{by} signed it, not {signer}; ask its owner for the right file"
        ));
    }
    let trust = repository.map_or(Ok(Trust::Unknown), |repository| repository.trust(by));
    match trust.map_err(|e| Error::Correct(e.to_string()))? {
        Trust::Of(_) => Ok(signed),
        Trust::Revoked(user) => fail(format!(
            "{by} signed it, a revoked key of {user}; protect the model again with a fresh key"
        )),
        Trust::Unknown if signer.is_some() => Ok(signed),
        Trust::Unknown => fail(format!(
            "{by} signed it, who is no user of the repository; give --signer with the owner's public key, or --keys"
        )),
    }
}

/// A mark whose signature fits, whoever made it.
///
/// # Errors
/// If it cannot be read or is damaged.
pub fn read(path: &Path) -> Result<Signed, Error> {
    let bytes = fs::read(path).map_err(|e| Error::file(path, e))?;
    Signed::from_bytes(&bytes).map_err(|e| Error::file(path, e))
}

/// Checks that a mark can be written to `path`, before any work.
///
/// # Errors
/// If its folder does not exist.
pub fn check_folder(path: &Path) -> Result<(), Error> {
    let whole = std::path::absolute(path).map_err(|e| Error::file(path, e))?;
    match whole.parent() {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            Err(Error::file(
                path,
                format!("the folder {folder} does not exist; create it"),
            ))
        }
        _ => Ok(()),
    }
}

/// Writes a mark that only its owner can read.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // The folder of a bare name is the one that the program runs in.
    let path = &std::path::absolute(path).map_err(|e| Error::file(path, e))?;
    brink_store::write_atomically(path, bytes).map_err(|e| Error::file(path, e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|e| Error::file(path, e))?;
    }
    Ok(())
}
