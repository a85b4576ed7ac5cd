//! One writer per results folder, or several workers. The operating system releases the lock when the process ends, so there are no stale locks. The
//! text of the file only names the holder.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, now};

const NAME: &str = "lock";

/// The process that writes to a results folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of the machine.
    pub host: String,
    /// The time when it took the lock (RFC 3339, UTC).
    pub since: String,
}

impl Holder {
    /// This process, as of now.
    pub(crate) fn this() -> Self {
        Self {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: now(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {} on {} since {}",
            self.pid, self.host, self.since
        )
    }
}

/// The lock on a results folder; released when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the results folder `root`.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process or handle holds it, [`Error::NoLocks`], [`Error::Io`] if the folder cannot be written.
    pub fn acquire(root: &Path) -> Result<Self> {
        let path = root.join(NAME);
        let mut file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(root, &path)),
            Err(TryLockError::Error(source)) => {
                let root = root.to_owned();
                return Err(Error::NoLocks { root, source });
            }
        }
        sign(&mut file, &Holder::this()).map_err(Error::io("write", &path))?;
        Ok(Self { file })
    }

    /// Shares the lock of the results folder `root` with other workers of this host, against a writer that wants to be alone. Some
    /// network file systems have no locks. There only the cards of the workers keep such a writer out.
    ///
    /// # Errors
    /// [`Error::Locked`] if a process or handle holds it alone, [`Error::Io`] if the folder cannot be written.
    pub fn share(root: &Path) -> Result<Self> {
        let path = root.join(NAME);
        let file = open(&path)?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(locked(root, &path)),
            _ => Ok(Self { file }),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(Error::io("write", path))
}

/// The error that names the holder of the lock.
fn locked(root: &Path, path: &Path) -> Error {
    let text = std::fs::read(path).ok();
    Error::Locked {
        root: root.to_owned(),
        holder: text.and_then(|json| serde_json::from_slice(&json).ok()),
    }
}

fn sign(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    serde_json::to_writer(&mut *file, holder)?;
    file.write_all(b"\n")
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The text must not outlive the lock. If this fails, the next holder overwrites it anyway. Workers write none.
        let _ = self.file.set_len(0);
        // Explicit, because a child process that is just starting may still hold a copy of the handle.
        let _ = self.file.unlock();
    }
}
