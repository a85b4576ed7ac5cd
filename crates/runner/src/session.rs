//! What a command line chose, checked: the grid, its plan, and where things are.

use std::path::PathBuf;

use anyhow::Context;
use candle_core::Device;
use glob::Pattern;
use spec::Scale;
use store::Store;
use verify::SecretKey;

use crate::cli::{Chosen, How, Selected};
use crate::grid::{Grid, key};
use crate::plan::{Paths, Plan};

/// A grid ready to be run or reported on.
pub struct Session {
    /// Where things are.
    pub paths: Paths,
    /// Its content.
    pub grid: Grid,
    /// How much of the paper's work.
    pub scale: Scale,
    /// The key in force.
    pub key: SecretKey,
    /// Where it is from.
    pub key_from: &'static str,
    /// Where to compute.
    pub device: Device,
    /// The results folder.
    pub out: PathBuf,
    /// All steps.
    pub plan: Plan,
}

impl Session {
    /// Checks everything that can be checked without work.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn open(chosen: &Chosen) -> anyhow::Result<Self> {
        let grid = Grid::read(&chosen.config, chosen.scale, &chosen.set)?;
        let variable = match std::env::var(key::VARIABLE) {
            Ok(digits) => Some(digits),
            Err(std::env::VarError::NotPresent) => None,
            // Whose own message would show the secret.
            Err(std::env::VarError::NotUnicode(_)) => anyhow::bail!(
                "{}: it is not UTF-8; write pairs of the digits 0-9 and a-f",
                key::VARIABLE
            ),
        };
        let at = grid.place("key");
        let variable = variable.as_deref();
        let (key, key_from) = grid
            .key
            .in_force(&at, chosen.key_file.as_deref(), variable)?;
        let device = chosen.device.open()?;
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
        let plan = Plan::new(&grid, &key, &device, &paths)?;
        Ok(Self {
            paths,
            scale: grid.scale(),
            grid,
            key,
            key_from,
            device,
            out: chosen.out.clone(),
            plan,
        })
    }

    /// As [`Session::open`], and the part of the plan that is selected.
    ///
    /// # Errors
    /// As [`Session::open`], or if the pattern is none or selects nothing.
    pub fn select(selected: &Selected) -> anyhow::Result<(Self, Plan)> {
        let session = Self::open(&selected.chosen)?;
        let part = match &selected.only {
            None => session.plan.clone(),
            Some(text) => {
                let pattern = Pattern::new(text).with_context(|| format!("--only {text}"))?;
                session
                    .plan
                    .only(&pattern)
                    .with_context(|| format!("--only {text}"))?
            }
        };
        Ok((session, part))
    }

    /// Where the records are: one store for all grids, so that they share targets and sets.
    pub fn store_folder(&self) -> PathBuf {
        self.out.join("store")
    }

    /// The store for reading, if there is one.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn records(&self) -> store::Result<Option<Store>> {
        match Store::open_read_only(self.store_folder()) {
            Ok(store) => Ok(Some(store)),
            Err(store::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The store for writing what is missing of `part`.
    ///
    /// # Errors
    /// If it cannot be written, somebody else writes there, or the disk is too full.
    pub fn writer(&self, part: &Plan, how: &How) -> anyhow::Result<Store> {
        let store = Store::open(self.store_folder())?;
        let room = match how.require_free {
            Some(bytes) => bytes,
            None => room(part, &store)?,
        };
        store.require_free(room)?;
        Ok(store)
    }

    /// The folder of this grid's tables and figures.
    pub fn folder(&self) -> PathBuf {
        self.out.join(self.grid.name.as_str())
    }

    /// Makes that folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_folder(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        let made = std::fs::create_dir_all(&folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))
    }

    /// The page of tables and figures.
    pub fn page(&self) -> PathBuf {
        self.out.join("report.html")
    }
}

/// Bytes that the missing steps of `part` may take on the disk.
fn room(part: &Plan, store: &Store) -> anyhow::Result<u64> {
    /// Samples, records, tables and figures.
    const REST: u64 = 256 << 20;
    let (mut kept, mut state) = (0, 0);
    for target in &part.targets {
        if !target.is_open(Some(store))? {
            continue;
        }
        let classes = target.target.dataset.info().classes;
        let weights = 4 * target.target.network().elements(classes)? as u64;
        if store.target(&target.id)?.is_none() {
            kept += weights;
        }
        // Weights and Adam's two moments, and as much again while one state replaces another.
        state = state.max(2 * 3 * weights);
    }
    Ok(kept + state + REST)
}
