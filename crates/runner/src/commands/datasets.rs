//! `data list` and `data fetch`.

use std::path::PathBuf;

use anyhow::anyhow;
use data::{Presence, REGISTRY};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Data;
use crate::exit::Refuse;
use crate::say::say;

/// Does either.
///
/// # Errors
/// If a data set cannot be had.
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
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template(
                "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left",
            ) {
                bar.set_style(style);
            }
            let found = data::fetch(dataset, &path, url.as_deref(), &mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            let folder = match found {
                Err(error @ data::Error::NoArchive { .. }) => Err(error).or_refuse()?,
                found => found?,
            };
            say!("{}: {}", dataset.info().title, folder.display());
            Ok(())
        }
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
        match data::find(info.id, root.as_deref()) {
            absent @ Presence::NotFound { .. } => say!("    not found: {absent}"),
            Presence::Unusable { reason } => say!("    cannot be used: {reason}"),
            found => say!("    found: {found}"),
        }
    }
}
