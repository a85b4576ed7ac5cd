//! Stores results: versioned records, one folder per step, locks and resume.
//!
//! A results folder looks like this:
//!
//! ```text
//! lock                                   held by the writer; names it
//! targets/<id>/{record.json, weights.safetensors}
//! sets/<id>/{record.json, set.safetensors}
//! runs/<id>.json
//! probes/<id>.json
//! state/<id>                             saved state of an unfinished step
//! folder                                 the folder's name, which a copy shares
//! workers/<name>                         card and heartbeat of a worker
//! claims/<id>.<n>                        which worker computes a step
//! failed/<id>                            why a step failed
//! ```
//!
//! A step is done exactly if its record exists. The record is written last, and every file is written under a temporary name,
//! flushed and renamed. So if a process is killed at any moment, the step is either complete or not done, and a reader never
//! waits for a writer.
//!
//! Records and states have a checksum. A record also has the checksum of its weights or samples. Records and states with a wrong
//! checksum are refused, and so are records whose numbers contradict each other.

mod checksum;
pub mod claim;
mod clock;
mod consistency;
mod contents;
mod error;
mod failed;
mod file;
mod flush;
mod folder;
pub mod id;
mod lock;
pub mod next;
mod record;
mod state;
pub mod worker;

use std::error::Error as StdError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use brink_config::Change;
pub use brink_verify::{Dispersion, Measured, Progress, Slice, Stop, Timing};
pub use clock::now;
pub use contents::{Entry, Holds};
pub use error::{Error, Result};
pub use failed::Failure;
pub use file::write as write_atomically;
pub use id::Id;
pub use lock::Holder;
pub use record::{
    Answers, Content, FORMAT, ProbeRecord, Provenance, Record, RunRecord, SetRecord, TargetRecord,
    target_sum,
};

/// The error of a caller's function that writes weights or samples.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// One part of a step's saved state: its name and its bytes.
pub type Part = (String, Vec<u8>);

const RECORD: &str = "record.json";
const WEIGHTS: &str = "weights.safetensors";
const SAMPLES: &str = "set.safetensors";

/// A results folder, opened for writing (alone, or as one of several workers) or only for reading.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    access: Access,
}

/// What may be done with a results folder.
#[derive(Debug)]
enum Access {
    Read,
    Alone {
        _lock: lock::Lock,
    },
    Shared {
        worker: Arc<worker::Worker>,
        _lock: lock::Lock,
    },
}

/// A function that writes the file beside a record.
type Save = fn(&Path) -> std::result::Result<(), BoxError>;

/// No file beside the record.
const NOTHING: Option<(PathBuf, Save)> = None;

impl Store {
    /// Opens `root` for writing, and creates missing folders. No other process or handle can open it for writing until this one
    /// is dropped. Incomplete files of a killed process are removed.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process or handle is writing there, [`Error::Io`] if the folder cannot be created or written.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        make_folders(&root)?;
        let lock = lock::Lock::acquire(&root)?;
        require_no_workers(&root)?;
        let store = Self {
            root,
            access: Access::Alone { _lock: lock },
        };
        store.sweep()?;
        Ok(store)
    }

    /// Opens `root` for writing as one of several workers, on any hosts, and creates missing folders. A worker writes only what
    /// belongs to the step that it has claimed. Saved states of finished steps are removed.
    ///
    /// # Errors
    /// [`Error::Locked`] if a process that is no worker is writing there; [`Error::NotThere`], [`Error::Elsewhere`] or
    /// [`Error::Disagree`] if the worker does not fit the others; [`Error::Io`].
    pub fn join(root: impl Into<PathBuf>, terms: worker::Terms) -> Result<Self> {
        let root = root.into();
        make_folders(&root)?;
        let lock = lock::Lock::share(&root)?;
        let worker = worker::Worker::join(&root, terms)?;
        let store = Self {
            root,
            access: Access::Shared {
                worker,
                _lock: lock,
            },
        };
        store.remove_states_of_finished_steps()?;
        Ok(store)
    }

    /// This process as a worker, if it is one.
    pub fn worker(&self) -> Option<&Arc<worker::Worker>> {
        match &self.access {
            Access::Shared { worker, .. } => Some(worker),
            Access::Read | Access::Alone { .. } => None,
        }
    }

    /// The name of the folder. A copy has the same name.
    ///
    /// # Errors
    /// [`Error::Io`] if it has none yet and cannot get one.
    pub fn name(&self) -> Result<String> {
        folder::name(&self.root)
    }

    /// The time by the file system of the folder, which all hosts agree on.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be written.
    pub fn time(&self) -> Result<SystemTime> {
        folder::time(&self.root)
    }

    /// Creates the missing folders of `root` for workers that will come, and opens it for reading.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be created.
    pub fn prepare(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        make_folders(&root)?;
        Self::open_read_only(root)
    }

    /// Opens `root` for reading. It takes no lock, so it also works while another process writes.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no results folder at `root`.
    pub fn open_read_only(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if !root.join("runs").is_dir() {
            return Err(Error::Missing { root });
        }
        Ok(Self {
            root,
            access: Access::Read,
        })
    }

    /// The results folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Checks that at least `bytes` are free on the disk of the results folder.
    ///
    /// # Errors
    /// [`Error::Full`] if not, [`Error::Io`] if the free space is unknown.
    pub fn require_free(&self, bytes: u64) -> Result<()> {
        let free = fs4::available_space(&self.root)
            .map_err(Error::io("ask for the free space of", &self.root))?;
        if free < bytes {
            return Err(Error::Full {
                root: self.root.clone(),
                free,
                need: bytes,
            });
        }
        Ok(())
    }

    /// The record of a trained target, if it exists.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`], [`Error::Misplaced`], [`Error::Future`].
    pub fn target(&self, id: &Id) -> Result<Option<TargetRecord>> {
        self.read(id)
    }

    /// The record of a sample set, if it exists.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`], [`Error::Misplaced`], [`Error::Future`].
    pub fn set(&self, id: &Id) -> Result<Option<SetRecord>> {
        self.read(id)
    }

    /// The record of a run, if it exists.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`], [`Error::Misplaced`], [`Error::Future`].
    pub fn run(&self, id: &Id) -> Result<Option<RunRecord>> {
        self.read(id)
    }

    /// The record of a probe, if it is done.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Future`], [`Error::Misplaced`], [`Error::Io`].
    pub fn probe(&self, id: &Id) -> Result<Option<ProbeRecord>> {
        self.read(id)
    }

    /// The record of a step, and whether it has a checksum; records of format 1 have none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`], [`Error::Misplaced`], [`Error::Future`].
    pub fn read_with_checksum<R: Record>(&self, id: &Id) -> Result<Option<(R, bool)>> {
        let path = self.record_path::<R>(id);
        match file::read_with_checksum::<R>(&path)? {
            Some((record, _)) if record.id() != id => Err(Error::Misplaced {
                path,
                id: *record.id(),
            }),
            read => Ok(read),
        }
    }

    /// The path of the weights of target `id`. [`Store::put_target`] writes them.
    pub fn weights(&self, id: &Id) -> PathBuf {
        self.root
            .join(TargetRecord::FOLDER)
            .join(id.to_string())
            .join(WEIGHTS)
    }

    /// The path of the samples of set `id`. [`Store::put_set`] writes them.
    pub fn samples(&self, id: &Id) -> PathBuf {
        self.root
            .join(SetRecord::FOLDER)
            .join(id.to_string())
            .join(SAMPLES)
    }

    /// Finishes a target: `save` writes the weights to the path it is given, then the record is written, and the saved state of
    /// the step is removed.
    ///
    /// # Errors
    /// [`Error::Payload`] if `save` fails, [`Error::Io`], [`Error::ReadOnly`], [`Error::Unrepresentable`].
    pub fn put_target(
        &self,
        record: &TargetRecord,
        save: impl FnOnce(&Path) -> std::result::Result<(), BoxError>,
    ) -> Result<()> {
        self.put(record, Some((self.weights(&record.id), save)))
    }

    /// Finishes a sample set: `save` writes the samples to the path it is given, then the record is written, and the saved state
    /// of the step is removed.
    ///
    /// # Errors
    /// As [`Store::put_target`].
    pub fn put_set(
        &self,
        record: &SetRecord,
        save: impl FnOnce(&Path) -> std::result::Result<(), BoxError>,
    ) -> Result<()> {
        self.put(record, Some((self.samples(&record.id), save)))
    }

    /// Finishes a run: writes its record, and removes the saved state of the step.
    ///
    /// # Errors
    /// As [`Store::put_target`].
    pub fn put_run(&self, record: &RunRecord) -> Result<()> {
        self.put(record, NOTHING)
    }

    /// Finishes a probe: writes its record, and removes the saved state of the step.
    ///
    /// # Errors
    /// As [`Store::put_target`].
    pub fn put_probe(&self, record: &ProbeRecord) -> Result<()> {
        self.put(record, NOTHING)
    }

    /// Replaces the saved state of step `id` atomically. `on` names what the state depends on besides the id, such as
    /// [`TargetRecord::sum`].
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Payload`], [`Error::ReadOnly`].
    pub fn save_state(&self, id: &Id, on: &str, parts: &[(&str, &[u8])]) -> Result<()> {
        self.require_writer()?;
        state::write(&self.state_path(id), id, on, parts)
    }

    /// The saved state of step `id` as (name, bytes), in the order of [`Store::save_state`]; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`], also if the state belongs to another step or depends on something else than `on`; [`Error::Future`],
    /// [`Error::Io`].
    pub fn load_state(&self, id: &Id, on: &str) -> Result<Option<Vec<Part>>> {
        state::read(&self.state_path(id), id, on)
    }

    /// Whether there is a saved state of step `id`. Only [`Store::load_state`] checks whether it can be read.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot say.
    pub fn has_state(&self, id: &Id) -> Result<bool> {
        let path = self.state_path(id);
        path.try_exists().map_err(Error::io("look for", &path))
    }

    /// Removes the saved state of step `id`, if there is one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ReadOnly`].
    pub fn clear_state(&self, id: &Id) -> Result<()> {
        self.require_writer()?;
        self.remove_state(id)
    }

    /// Removes a state, if there is one, once the records of finished steps are on the disk: a power cut must not take both.
    fn remove_state(&self, id: &Id) -> Result<()> {
        if !self.has_state(id)? {
            return Ok(());
        }
        // A worker, this one or another, may have left it to the background to flush its last record.
        for folder in [RunRecord::FOLDER, ProbeRecord::FOLDER] {
            let folder = self.root.join(folder);
            flush::sync_folder(&folder).map_err(Error::io("flush", &folder))?;
        }
        file::remove(&self.state_path(id))
    }

    /// Removes the saved state `id` of several runs if all of them have records: whoever wrote the last one died before removing it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear_state_of<'a>(
        &self,
        id: &Id,
        runs: impl IntoIterator<Item = &'a Id>,
    ) -> Result<()> {
        let mut runs = runs.into_iter();
        let finished =
            self.has_state(id)? && runs.all(|run| self.record_path::<RunRecord>(run).exists());
        match finished {
            true => self.remove_state(id),
            false => Ok(()),
        }
    }

    fn state_path(&self, id: &Id) -> PathBuf {
        self.root.join("state").join(id.to_string())
    }

    /// The path of the record of step `id`, whether or not it exists.
    pub fn record_path<R: Record>(&self, id: &Id) -> PathBuf {
        let folder = self.root.join(R::FOLDER);
        if R::ALONE {
            folder.join(format!("{id}.json"))
        } else {
            folder.join(id.to_string()).join(RECORD)
        }
    }

    fn require_writer(&self) -> Result<()> {
        match &self.access {
            Access::Alone { .. } => Ok(()),
            Access::Shared { worker, .. } => worker.require_claim(),
            Access::Read => Err(Error::ReadOnly {
                root: self.root.clone(),
            }),
        }
    }

    fn read<R: Record>(&self, id: &Id) -> Result<Option<R>> {
        let read = self.read_with_checksum(id)?;
        Ok(read.map(|(record, _)| record))
    }

    fn put<R: Record, F>(&self, record: &R, payload: Option<(PathBuf, F)>) -> Result<()>
    where
        F: FnOnce(&Path) -> std::result::Result<(), BoxError>,
    {
        self.require_writer()?;
        let path = self.record_path::<R>(record.id());
        let bytes = file::encode(record, &path)?;
        if let Some((payload, save)) = payload {
            let folder = payload.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
            // A new folder's own entry must survive a power cut too, because the saved state is removed afterwards.
            let parent = folder.parent().unwrap_or(&self.root);
            flush::sync_folder(parent).map_err(Error::io("synchronise", parent))?;
            file::write_with(&payload, save)?;
            // Writing samples or weights may have taken long.
            self.require_writer()?;
        }
        match &self.access {
            Access::Shared { worker, .. } if R::ALONE => {
                file::place(&path, &bytes)?;
                worker.flushing.begin(self.root.join(R::FOLDER))?;
            }
            _ => file::write(&path, &bytes)?,
        }
        self.clear_state(record.id())
    }

    /// Removes incomplete files, saved states of finished steps, and what dead workers left. Only the holder of the lock may call
    /// it.
    fn sweep(&self) -> Result<()> {
        file::remove_partial(&self.root)?;
        for folder in [worker::CARDS, claim::CLAIMS, failed::FAILED] {
            file::empty(&self.root.join(folder))?;
        }
        for folder in ["state", RunRecord::FOLDER, ProbeRecord::FOLDER] {
            file::remove_partial(&self.root.join(folder))?;
        }
        for kind in [TargetRecord::FOLDER, SetRecord::FOLDER] {
            let kind = self.root.join(kind);
            for name in file::names(&kind)? {
                let folder = kind.join(name);
                if folder.is_dir() {
                    file::remove_partial(&folder)?;
                }
            }
        }
        self.remove_states_of_finished_steps()
    }

    /// Removes states that outlived their step: its record was written, but the writer died or failed before it removed the state.
    fn remove_states_of_finished_steps(&self) -> Result<()> {
        for id in file::names(&self.root.join("state"))?
            .iter()
            .filter_map(|name| name.parse::<Id>().ok())
        {
            let finished = [
                self.record_path::<TargetRecord>(&id),
                self.record_path::<SetRecord>(&id),
                self.record_path::<RunRecord>(&id),
                self.record_path::<ProbeRecord>(&id),
            ];
            if finished.iter().any(|path| path.exists()) {
                self.remove_state(&id)?;
            }
        }
        Ok(())
    }
}

/// Creates the folders that are missing.
fn make_folders(root: &Path) -> Result<()> {
    let kinds = ["targets", "sets", "runs", "probes", "state"];
    let shared = [worker::CARDS, claim::CLAIMS, failed::FAILED];
    let inner = kinds.into_iter().chain(shared);
    let inner = inner.map(|folder| root.join(folder));
    for folder in std::iter::once(root.to_owned()).chain(inner) {
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    }
    Ok(())
}

/// Refuses a folder with living workers. The lock has shown that none is alive on this host.
fn require_no_workers(root: &Path) -> Result<()> {
    let here = Holder::this().host;
    let mut others = worker::all(root)?;
    others.retain(|seen| seen.card.holder.host != here);
    if others.is_empty() {
        return Ok(());
    }
    let now = folder::time(root)?;
    others.retain(|seen| {
        now.duration_since(seen.beat)
            .map_or(true, |age| age <= seen.card.expiry)
    });
    match others.first() {
        Some(first) => Err(Error::Shared {
            root: root.to_owned(),
            workers: others.len(),
            holder: first.card.holder.clone(),
        }),
        None => Ok(()),
    }
}
