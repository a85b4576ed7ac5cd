//! What lies in a results folder, whichever grid it is of.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{
    Error, Id, ProbeRecord, RECORD, Record, Result, RunRecord, SetRecord, Store, TargetRecord, file,
};

/// A file or folder of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The step.
    pub id: Id,
    /// What it holds.
    pub holds: Holds,
    /// Where it is.
    pub path: PathBuf,
    /// Its size with all that is in it.
    pub bytes: u64,
}

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The record of a target, and its weights.
    Target,
    /// The record of a sample set, and its samples.
    Set,
    /// The record of a run.
    Run,
    /// The record of a probe.
    Probe,
    /// The saved state of a step.
    State,
    /// Weights or samples without a record: the step failed.
    Remains,
}

impl Store {
    /// All entries, by kind and step. Files that are no step's are left out.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be listed.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let kinds = [
            (TargetRecord::FOLDER, Holds::Target),
            (SetRecord::FOLDER, Holds::Set),
            (RunRecord::FOLDER, Holds::Run),
            (ProbeRecord::FOLDER, Holds::Probe),
            ("state", Holds::State),
        ];
        let mut entries = Vec::new();
        for (folder, holds) in kinds {
            let folder = self.root.join(folder);
            let mut names = file::names(&folder)?;
            names.sort();
            for name in names {
                let stem = name.strip_suffix(".json").unwrap_or(&name);
                let Ok(id) = stem.parse::<Id>() else {
                    continue;
                };
                let path = folder.join(&name);
                let whole = !path.is_dir() || path.join(RECORD).exists();
                let bytes = size(&path).map_err(Error::io("list", &path))?;
                entries.push(Entry {
                    id,
                    holds: if whole { holds } else { Holds::Remains },
                    path,
                    bytes,
                });
            }
        }
        Ok(entries)
    }

    /// Deletes an entry. What depends on it is left as it is.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ReadOnly`].
    pub fn delete(&self, entry: &Entry) -> Result<()> {
        self.require_writer()?;
        let path = &entry.path;
        if !path.is_dir() {
            return file::remove(path);
        }
        // Without its record a step is not done, so a killed deletion leaves only remains.
        file::remove(&path.join(RECORD))?;
        fs::remove_dir_all(path).map_err(Error::io("remove", path))
    }
}

/// The bytes of a file, or of all files in a folder.
fn size(path: &Path) -> std::io::Result<u64> {
    if !path.is_dir() {
        return Ok(fs::metadata(path)?.len());
    }
    let sizes = fs::read_dir(path)?.map(|inner| size(&inner?.path()));
    sizes.sum()
}
