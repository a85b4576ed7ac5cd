//! The checked options of a command line: the grid, its plan and all paths.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use brink_config::Scale;
use brink_models::device::{Choice, Device, Share};
use brink_store::Store;
use brink_store::worker::Terms;
use brink_verify::SecretKey;
use glob::Pattern;
use serde_json::{Value, json};

use crate::cli::{Chosen, Computing, Selected, Working};
use crate::grid::{Grid, key};
use crate::plan::{Paths, Plan};
use crate::provenance;
use crate::say::warning;

/// A grid that is ready to run or to report on.
pub struct Session {
    /// The paths of its inputs.
    pub paths: Paths,
    /// The grid.
    pub grid: Grid,
    /// The scale at which the grid was read.
    pub scale: Scale,
    /// The secret key in use.
    pub key: SecretKey,
    /// The source of the key.
    pub key_from: &'static str,
    /// The device that was chosen.
    chosen_device: Choice,
    /// The device to compute on. It is the processor until it is opened.
    pub device: Device,
    /// The results folder.
    pub out: PathBuf,
    /// All steps.
    pub plan: Plan,
}

impl Session {
    /// Reads the grid and plans its steps. Checks all that can be checked without computing.
    ///
    /// # Errors
    /// The first problem of the grid, the key, the device or the paths.
    pub fn open(chosen: &Chosen) -> anyhow::Result<Self> {
        let grid = Grid::read(&chosen.config, chosen.scale, &chosen.set)?;
        let variable = match std::env::var(key::VARIABLE) {
            Ok(digits) => Some(digits),
            Err(std::env::VarError::NotPresent) => None,
            // The message of this error would show the secret.
            Err(std::env::VarError::NotUnicode(_)) => anyhow::bail!(
                "{}: it is not UTF-8; write pairs of the digits 0-9 and a-f",
                key::VARIABLE
            ),
        };
        let variable = variable.as_deref();
        let (key, key_from) = grid
            .key
            .in_force(&grid, chosen.key_file.as_deref(), variable)?;
        let data = chosen.data();
        if let Some(folder) = data.as_deref().filter(|folder| !folder.is_dir()) {
            anyhow::bail!(
                "there is no data folder {}; correct --data or BRINK_DATA, or make it",
                folder.display()
            );
        }
        let paths = Paths {
            config: chosen.config.clone(),
            data,
            rerun_command: chosen.command(),
        };
        let plan = Plan::new(&grid, &key, &paths)?;
        Ok(Self {
            paths,
            scale: grid.scale(),
            grid,
            key,
            key_from,
            chosen_device: chosen.device,
            device: Device::default(),
            out: chosen.out.clone(),
            plan,
        })
    }

    /// Opens the device that was chosen.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open_device(&mut self, how: &Computing) -> anyhow::Result<()> {
        self.device = self.chosen_device.open(how.gpu_memory)?;
        if let Some(problem) = self.device.warning() {
            warning!("{problem}");
        }
        Ok(())
    }

    /// What each of so many workers computes with, on the device that was chosen.
    ///
    /// # Errors
    /// If that is a GPU that is not there.
    pub fn shares(&self, workers: usize) -> anyhow::Result<Vec<Share>> {
        Ok(self.chosen_device.shares(workers)?)
    }

    /// As [`Session::open`], with the selected part of the plan.
    ///
    /// # Errors
    /// As [`Session::open`], or if the pattern is invalid or matches no step.
    pub fn select(selected: &Selected) -> anyhow::Result<(Self, Plan)> {
        let session = Self::open(&selected.chosen)?;
        let patterns = selected.only.iter();
        let patterns: Vec<Pattern> = patterns
            .map(|text| Pattern::new(text).with_context(|| format!("--only {text}")))
            .collect::<anyhow::Result<_>>()?;
        let part = match patterns.is_empty() {
            true => session.plan.clone(),
            false => session.plan.only(&patterns)?,
        };
        Ok((session, part))
    }

    /// The folder of the records. All grids have one store, so that they share targets and sets.
    pub fn store_folder(&self) -> PathBuf {
        self.out.join("store")
    }

    /// The store for reading, if it exists.
    ///
    /// # Errors
    /// If it exists but cannot be read.
    pub fn records(&self) -> brink_store::Result<Option<Store>> {
        match Store::open_read_only(self.store_folder()) {
            Ok(store) => Ok(Some(store)),
            Err(brink_store::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The store for writing the missing steps of `part`.
    ///
    /// # Errors
    /// If it cannot be written, another process writes to it, or the disk is too full.
    pub fn writer(&self, part: &Plan, how: &Computing) -> anyhow::Result<Store> {
        let store = Store::open(self.store_folder())?;
        require_room(part, &store, how)?;
        Ok(store)
    }

    /// The store for computing missing steps of `part` together with other workers. They must have in common the program, and for
    /// this grid the seed and the key.
    ///
    /// # Errors
    /// As [`Session::writer`], or if the worker does not fit the others.
    pub fn shared(&self, part: &Plan, work: &Working) -> anyhow::Result<Store> {
        let grid = self.grid.name.as_str();
        let seconds = work.expire.get();
        let terms = [
            ("the program".to_owned(), provenance::program()),
            (format!("for `{grid}` the seed"), self.grid.seed.to_string()),
            (
                format!("for `{grid}` the key with the check"),
                // Differs between two keys, but does not reveal a key.
                self.key.check("worker").to_string(),
            ),
            ("--expire".to_owned(), seconds.to_string()),
        ];
        let terms = Terms {
            agreed: terms.into(),
            expiry: Duration::from_secs(seconds),
            folder: work.folder.clone(),
        };
        let store = Store::join(self.store_folder(), terms)?;
        for attack in part.targets.iter().flat_map(|target| &target.attacks) {
            store.clear_state_of(&attack.id, attack.runs.iter().map(|run| &run.id))?;
        }
        require_room(part, &store, &work.computing)?;
        Ok(store)
    }

    /// The folder of this grid's tables and figures.
    pub fn folder(&self) -> PathBuf {
        self.out.join(self.grid.name.as_str())
    }

    /// Creates that folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make_folder(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        let made = std::fs::create_dir_all(&folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))
    }

    /// The peak memory of the last command that computed a step of this grid at this scale, in bytes, by its journal.
    pub fn recorded_memory(&self) -> Option<u64> {
        let text = std::fs::read(self.folder().join("run.json")).ok()?;
        let journal: Value = serde_json::from_slice(&text).ok()?;
        let same = journal["scale"] == json!(self.scale);
        journal["computing_memory_bytes"].as_u64().filter(|_| same)
    }

    /// The path of the page with all tables and figures.
    pub fn page(&self) -> PathBuf {
        self.out.join("report.html")
    }
}

/// Refuses a disk that is too full for the missing steps of `part`.
fn require_room(part: &Plan, store: &Store, how: &Computing) -> anyhow::Result<()> {
    let room = match how.require_free {
        Some(bytes) => bytes,
        None => room(part, store)?,
    };
    Ok(store.require_free(room)?)
}

/// The bytes that the missing steps of `part` may need on the disk.
fn room(part: &Plan, store: &Store) -> anyhow::Result<u64> {
    /// Bytes for samples, records, tables and figures.
    const REST: u64 = 256 << 20;
    let (mut kept, mut state) = (0, 0);
    for target in &part.targets {
        if !target.is_open(Some(store))? {
            continue;
        }
        let classes = target.facts.classes;
        let weights = 4 * target.model.elements(classes)? as u64;
        if store.target(&target.id)?.is_none() {
            kept += weights;
        }
        // A state has the weights and Adam's two moments. Two states exist while one replaces the other.
        state = state.max(2 * 3 * weights);
    }
    Ok(kept + state + REST)
}
