//! The files that a target needs, and how to get missing ones.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brink_data::{Info, Presence};
use brink_report::NotRun;
use brink_store::Store;

use super::TargetStep;
use crate::grid::{ImageSet, Init, Sha256, Target};

/// The paths of the command line.
pub struct Paths {
    /// The grid file.
    pub config: PathBuf,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The command that runs the grid with the same options.
    pub rerun_command: String,
}

/// A file of initial weights.
#[derive(Clone)]
pub struct WeightFile {
    /// Its path. The file may be missing.
    pub path: PathBuf,
    /// The checksum, which is part of the id of the target.
    pub sum: Sha256,
}

/// The weight file of `target`, if it has one. The file may be missing if the grid gives its checksum, because the
/// checksum is enough for the id of the target.
///
/// # Errors
/// If the file cannot be read, has another checksum, or is missing without a checksum in the grid.
pub fn weights(target: &Target, paths: &Paths) -> anyhow::Result<Option<WeightFile>> {
    let Some(init) = &target.init else {
        return Ok(None);
    };
    let path = init.path(paths.data.as_deref());
    let sum = if path.is_file() {
        let sum = Sha256::of_file(&path).with_context(|| path.display().to_string())?;
        if let Some(expected) = &init.sha256
            && *expected != sum
        {
            bail!(
                "{}: its sha256 is {}, expected {}; copy the file again, or correct `init.sha256`",
                path.display(),
                sum.as_str(),
                expected.as_str()
            );
        }
        sum
    } else {
        match &init.sha256 {
            Some(expected) => expected.clone(),
            None => bail!("{}", nothing_at(init, &path, paths)),
        }
    };
    Ok(Some(WeightFile { path, sum }))
}

/// Why there is no weight file at `path`.
fn nothing_at(init: &Init, path: &Path, paths: &Paths) -> String {
    if init.weights.as_os_str().is_empty() {
        return "the path is empty; name a file, or leave `init` out".to_owned();
    }
    if path.exists() && !path.is_dir() {
        return format!("{} is not a regular file; name one", path.display());
    }
    if path.is_dir() {
        return format!("{} is a folder; name the file in it", path.display());
    }
    let place = match &paths.data {
        _ if init.weights.is_absolute() => "",
        Some(_) => " (a relative path is looked up in the data folder)",
        None => " (a relative path is looked up in the data folder: name it by --data)",
    };
    format!("there is no file {}{place}", path.display())
}

/// The missing images or weights of `step`. Damaged files are not reported here. A target that is finished in `store`
/// does not need its initial weights.
pub fn missing_input(step: &TargetStep, paths: &Paths, store: Option<&Store>) -> Option<NotRun> {
    let target = &step.target;
    let kept = store.is_some_and(|store| {
        let finished = matches!(store.target(&step.id), Ok(Some(_)));
        finished && store.weights(&step.id).is_file()
    });
    if let (Some(init), Some(file)) = (&target.init, &step.weights)
        && !file.path.is_file()
        && !kept
    {
        return Some(paths.without_weights(step, init));
    }
    // Images of one's own were read when the steps were planned.
    let ImageSet::Registered(dataset) = target.dataset else {
        return None;
    };
    match brink_data::find(dataset, paths.data.as_deref()) {
        Presence::NotFound { reason, how_to_get } => {
            Some(paths.without_images(step, dataset.info(), reason, how_to_get))
        }
        Presence::Embedded | Presence::Found { .. } | Presence::Unusable { .. } => None,
    }
}

impl Paths {
    fn without_images(
        &self,
        step: &TargetStep,
        info: &Info,
        reason: String,
        how_to_get: &str,
    ) -> NotRun {
        let (reason, command) = match info.archives {
            [_, ..] => {
                let folder = quoted(&self.folder());
                let fetch = format!("runner data fetch {} --data {folder}", info.name);
                (reason, Some(fetch))
            }
            // No command gets them.
            [] => (
                format!(
                    "{reason}; there is no download: {how_to_get}; from: {}",
                    info.origin
                ),
                None,
            ),
        };
        NotRun {
            dataset_title: step.title(),
            reason,
            command,
        }
    }

    fn without_weights(&self, step: &TargetStep, init: &Init) -> NotRun {
        let path = init.path(Some(Path::new(&self.folder())));
        NotRun {
            dataset_title: step.title(),
            reason: format!(
                "there is no weight file {}; put it there, datasets.md says where to get it",
                path.display()
            ),
            command: None,
        }
    }

    /// The data folder for a message. `DIR` stands for a missing one.
    fn folder(&self) -> String {
        self.data
            .as_ref()
            .map_or_else(|| "DIR".to_owned(), |data| data.display().to_string())
    }
}

/// A word of a shell command, quoted if necessary.
fn quoted(word: &str) -> String {
    // Quoting fails only for NUL, and no argument holds a NUL.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}
