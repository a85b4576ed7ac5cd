//! `clean`: deletes what a results folder holds in vain.

use std::collections::HashSet;

use brink_store::{Entry, Holds, Id, Store};

use crate::cli::{Chosen, Clean, Waste};
use crate::exit::Refuse;
use crate::grid::Grid;
use crate::say::say;
use crate::session::Session;

/// Deletes what is asked for, or lists it.
///
/// # Errors
/// If a grid cannot be read, or a file cannot be deleted.
pub fn run(clean: &Clean) -> anyhow::Result<()> {
    let named = named(clean).or_refuse()?;
    let folder = clean.out.join("store");
    let store = match clean.dry_run {
        true => Store::open_read_only(folder),
        false => open(folder),
    };
    let store = store.or_refuse()?;
    let entries = store.entries()?;
    let waste = entries
        .iter()
        .filter_map(|entry| Some((entry, why(entry, clean, &named)?)));
    let (mut files, mut bytes) = (0, 0);
    for (entry, why) in waste {
        if !clean.dry_run {
            store.delete(entry)?;
        }
        say!("{}: {why}", entry.path.display());
        (files, bytes) = (files + 1, bytes + entry.bytes);
    }
    let done = if clean.dry_run {
        "would be deleted"
    } else {
        "deleted"
    };
    let megabytes = bytes as f64 / 1e6;
    say!("{files} of {} {done}, {megabytes:.1} MB", entries.len());
    Ok(())
}

/// The store for writing. A folder without one is not made into one.
fn open(folder: std::path::PathBuf) -> brink_store::Result<Store> {
    Store::open_read_only(&folder)?;
    Store::open(folder)
}

/// Why an entry is deleted, if it is.
fn why(entry: &Entry, clean: &Clean, named: &HashSet<Id>) -> Option<&'static str> {
    let (waste, why) = match entry.holds {
        Holds::State => (Waste::States, "the state of an unfinished step"),
        Holds::Remains => (Waste::Failed, "what a failed step left"),
        _ if named.contains(&entry.id) => return None,
        _ => (Waste::Unnamed, "no grid names this step"),
    };
    clean.what.contains(&waste).then_some(why)
}

/// The steps that the grids name, each at all its scales.
fn named(clean: &Clean) -> anyhow::Result<HashSet<Id>> {
    let mut named = HashSet::new();
    for config in &clean.grids {
        for scale in Grid::scales(config)? {
            let chosen = Chosen {
                config: config.clone(),
                scale: Some(scale),
                set: Vec::new(),
                folder: clean.folder.clone(),
                out: clean.out.clone(),
                device: clean.device,
                key_file: clean.key_file.clone(),
            };
            let plan = Session::open(&chosen)?.plan;
            named.extend(plan.steps().map(|step| step.id));
        }
    }
    Ok(named)
}
