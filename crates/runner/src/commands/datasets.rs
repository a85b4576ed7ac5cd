//! `data list` and `data fetch`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use brink_data::fetch::{Fetched, Prepared};
use brink_data::{Presence, REGISTRY};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Data;
use crate::exit::Refuse;
use crate::say::say;

/// Runs the command.
///
/// # Errors
/// If a data set cannot be downloaded or read.
pub fn run(command: Data) -> anyhow::Result<()> {
    match command {
        Data::List(folder) => {
            list(folder.path());
            Ok(())
        }
        Data::Fetch {
            dataset,
            folder,
            url,
        } => {
            let path = folder
                .path()
                .ok_or_else(|| {
                    anyhow!("name the data folder: `runner data fetch {dataset} --data DIR`")
                })
                .or_refuse()?;
            let prepared =
                brink_data::fetch::prepare(dataset, &path, url.as_deref()).or_refuse()?;
            let wanted = match prepared {
                Prepared::Wanted(wanted) => wanted,
                Prepared::Done(found) => {
                    tell(dataset, &path, &found);
                    return Ok(());
                }
            };
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template(
                "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left",
            ) {
                bar.set_style(style);
            }
            let found = wanted.fetch(&mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            let found = match found {
                Err(busy) if busy.is_busy() => Err(busy).or_refuse()?,
                found => found?,
            };
            tell(dataset, &path, &found);
            Ok(())
        }
    }
}

/// Prints where a data set is, and whether it was verified to be the official one.
fn tell(dataset: brink_data::Id, root: &Path, found: &Fetched) {
    let info = dataset.info();
    say!("{}: {}", info.title, found.folder.display());
    if !found.verified {
        let archives: Vec<&str> = info.archives.iter().map(|archive| archive.file).collect();
        say!(
            "Its content could not be compared with the official one, and tables will say so. To have it compared, put {} into {}, or \
             move the folder away, and run the command again.",
            archives.join(", "),
            root.display()
        );
    }
}

fn list(root: Option<PathBuf>) {
    for info in REGISTRY {
        say!(
            "{}  {}, {} classes, {} + {} images\n    from: {}\n    licence: {}",
            info.name,
            info.title,
            info.classes,
            info.train,
            info.test,
            info.origin,
            info.licence
        );
        match brink_data::find(info.id, root.as_deref()) {
            absent @ Presence::NotFound { .. } => say!("    not found: {absent}"),
            Presence::Unusable { reason } => say!("    cannot be used: {reason}"),
            found => say!("    found: {found}"),
        }
    }
}
