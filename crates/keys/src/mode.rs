//! Who can read files: only their owner may read secrets.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::Error;

/// Checks that only the owner can read a file or folder. Systems without such modes have no check.
///
/// # Errors
/// If others can, or it cannot be looked at.
#[cfg(unix)]
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let about = fs::metadata(path).map_err(Error::io("read", path))?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::Mode {
        path: path.to_owned(),
        mode,
        fix: if about.is_dir() { "700" } else { "600" },
    })
}

#[cfg(not(unix))]
pub(crate) fn check(_: &Path) -> Result<(), Error> {
    Ok(())
}

/// Makes a folder that only its owner can read.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .recursive(true)
        .create(path)
        .map_err(Error::io("make the folder", path))
}

/// Writes a file that only its owner can read, as a whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let save = || -> std::io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    save().map_err(Error::io("write", path))
}
