//! One writer per results folder. The operating system releases the lock when the process ends, so there are no stale locks. The
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
    /// [`Error::Locked`] if another process or handle holds it, [`Error::Io`] if the folder cannot be written or locked.
    pub fn acquire(root: &Path) -> Result<Self> {
        let path = root.join(NAME);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read(&path)
                    .ok()
                    .and_then(|json| serde_json::from_slice(&json).ok());
                return Err(Error::Locked {
                    root: root.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let holder = Holder {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: now(),
        };
        sign(&mut file, &holder).map_err(Error::io("write", &path))?;
        Ok(Self { file })
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
        // The text must not outlive the lock. If this fails, the next holder overwrites it anyway.
        let _ = self.file.set_len(0);
        // Explicit, because a child process that is just starting may still hold a copy of the handle.
        let _ = self.file.unlock();
    }
}
