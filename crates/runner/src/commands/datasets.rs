//! `data list` and `data fetch`.

use std::path::Path;

use anyhow::anyhow;
use brink_data::fetch::{Fetched, Prepared};
use brink_data::{Presence, REGISTRY};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::Data;
use crate::exit::Refuse;
use crate::say::{self, Loudness, say};

/// Runs the command.
///
/// # Errors
/// If a data set cannot be downloaded or read.
pub fn run(command: Data) -> anyhow::Result<()> {
    match command {
        Data::List { folder, format } => {
            match format.json {
                true => say!("{:#}", as_json(folder.path().as_deref())),
                false => list(folder.path().as_deref()),
            }
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
            let bar = match say::loudness() {
                Loudness::Quiet => ProgressBar::hidden(),
                _ => ProgressBar::new(0),
            };
            // The bar takes the columns that the words leave.
            if let Ok(style) =
                ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}, {eta} left")
            {
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

fn list(root: Option<&Path>) {
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
        match brink_data::find(info.id, root) {
            absent @ Presence::NotFound { .. } => say!("    not found: {absent}"),
            Presence::Unusable { reason } => say!("    cannot be used: {reason}"),
            found => say!("    found: {found}"),
        }
    }
}

fn as_json(root: Option<&Path>) -> Value {
    let sets = REGISTRY.iter().map(|info| {
        let (state, how) = match brink_data::find(info.id, root) {
            absent @ Presence::NotFound { .. } => ("not found", absent.to_string()),
            Presence::Unusable { reason } => ("cannot be used", reason),
            found => ("found", found.to_string()),
        };
        json!({
            "name": info.name,
            "title": info.title,
            "classes": info.classes,
            "train": info.train,
            "test": info.test,
            "origin": info.origin,
            "licence": info.licence,
            "state": state,
            "how": how,
        })
    });
    sets.collect()
}
