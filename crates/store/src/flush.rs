//! Flushes folders to the disk, for workers in the background.

use std::fs::File;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::{self, JoinHandle};

use crate::worker::lock;
use crate::{Error, Result};

/// Flushes a folder to the disk, so that a rename in it survives a power cut.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Only Unix can open a folder. Elsewhere the file system keeps the order itself.
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Flushes one folder after the other while its owner goes on. A power cut takes at most what is being flushed.
#[derive(Debug, Default)]
pub struct Flushing(Mutex<Option<JoinHandle<Result<()>>>>);

impl Flushing {
    /// Begins to flush `folder`, once the flush before is done.
    ///
    /// # Errors
    /// [`Error::Io`] if the flush before failed, or a thread cannot start.
    pub fn begin(&self, folder: PathBuf) -> Result<()> {
        let mut last = lock(&self.0);
        done(last.take())?;
        let flushed = folder.clone();
        let flush = move || sync_folder(&flushed).map_err(Error::io("flush", &flushed));
        let begun = thread::Builder::new().spawn(flush);
        *last = Some(begun.map_err(Error::io("flush", &folder))?);
        Ok(())
    }

    /// Waits until all is flushed.
    ///
    /// # Errors
    /// [`Error::Io`] if the last flush failed.
    pub fn end(&self) -> Result<()> {
        done(lock(&self.0).take())
    }
}

fn done(flush: Option<JoinHandle<Result<()>>>) -> Result<()> {
    flush.map_or(Ok(()), |flush| {
        flush.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_flush_is_told_once() {
        let place = tempfile::tempdir().unwrap();
        let flushing = Flushing::default();
        flushing.begin(place.path().to_owned()).unwrap();
        flushing.end().unwrap();
        let missing = place.path().join("missing");
        flushing.begin(missing.clone()).unwrap();
        let error = flushing.begin(place.path().to_owned()).unwrap_err();
        assert!(
            error.to_string().contains(&*missing.to_string_lossy()),
            "{error}"
        );
        flushing.end().unwrap();
    }
}
