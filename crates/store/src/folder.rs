//! A results folder that several machines share: its name, and the time by its own file system.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::{Error, Result, file};

/// The file that names the folder. A copy of the folder has the same name.
const NAME: &str = "folder";

/// A random number of the operating system, as hexadecimal digits.
pub fn token() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// The name of the results folder `root`, which its first writer gives to it.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or written.
pub fn name(root: &Path) -> Result<String> {
    let path = root.join(NAME);
    if file::bytes(&path)?.is_none() {
        // If another writer is faster, its name holds.
        publish(&path, token().as_bytes())?;
    }
    let bytes = file::bytes(&path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The time by the file system of the folder `root`, which all hosts agree on: that of a file that is written now.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be written.
pub fn time(root: &Path) -> Result<SystemTime> {
    let path = root.join(file::partial_name("time"));
    let written = || {
        let mut file = File::create_new(&path)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        file.metadata()?.modified()
    };
    let time = written().map_err(Error::io("write", &path));
    file::remove(&path)?;
    time
}

/// Makes the file `path` with this content, unless it exists. Of many callers on many hosts exactly one gets `true`. A reader never
/// sees a part of the content.
///
/// # Errors
/// [`Error::Io`] if the file cannot be made, e.g. where the file system has no hard links.
pub fn publish(path: &Path, content: &[u8]) -> Result<bool> {
    let own = path.with_file_name(file::partial_name("link"));
    fs::write(&own, content).map_err(Error::io("write", &own))?;
    let linked = fs::hard_link(&own, path);
    // Over NFS, the answer of a link that succeeded may be lost, and the repeated request fails. The number of links tells the truth.
    let won = linked.is_ok() || links(&own) == 2;
    file::remove(&own)?;
    match linked {
        Err(source) if !won && source.kind() != ErrorKind::AlreadyExists => {
            Err(Error::io("link", path)(source))
        }
        _ => Ok(won),
    }
}

/// The number of names of a file; 0 if the system cannot say.
fn links(path: &Path) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).map_or(0, |file| file.nlink())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        0
    }
}
