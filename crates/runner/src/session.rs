//! The checked options of a command line: the grid, its plan and all paths.

use std::path::PathBuf;

use anyhow::Context;
use brink_config::Scale;
use brink_store::Store;
use brink_verify::SecretKey;
use candle_core::Device;
use glob::Pattern;

use crate::cli::{Chosen, How, Selected};
use crate::grid::{Grid, key};
use crate::plan::{Paths, Plan};

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
    /// The device to compute on.
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

    /// As [`Session::open`], with the selected part of the plan.
    ///
    /// # Errors
    /// As [`Session::open`], or if the pattern is invalid or matches no step.
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

    /// Creates that folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make_folder(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        let made = std::fs::create_dir_all(&folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))
    }

    /// The path of the page with all tables and figures.
    pub fn page(&self) -> PathBuf {
        self.out.join("report.html")
    }
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
        let weights = 4 * target.target.network().elements(classes)? as u64;
        if store.target(&target.id)?.is_none() {
            kept += weights;
        }
        // A state has the weights and Adam's two moments. Two states exist while one replaces the other.
        state = state.max(2 * 3 * weights);
    }
    Ok(kept + state + REST)
}
