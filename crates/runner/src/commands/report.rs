//! `table`, `plot` and `report`: tables and figures made only from records. They need no images and no weights.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use brink_store::Store;

use crate::cli::Made;
use crate::examine::examine;
use crate::exit::Refuse;
use crate::output::overwrite::{self, Kept};
use crate::output::{self, Findings};
use crate::provenance::Clock;
use crate::say::{self, Loudness, say, warning};
use crate::session::Session;

/// Prints the tables, writes them, and lists the files. If the results folder is read-only, it only prints the tables.
pub fn table(made: &Made) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, store) = open(made).or_refuse()?;
    spare(made, &session, &store, overwrite::tables).or_refuse()?;
    let findings = Findings::read(&session, &store)?;
    let files = session.make_folder().and_then(|()| findings.write(&clock));
    findings.print(files.as_ref().map_or(0, Vec::len));
    match files {
        Ok(files) if say::loudness() == Loudness::Verbose => list(files, |file| !is_figure(file)),
        Ok(_) => {}
        Err(error) if is_read_only(&error) => warning!("nothing was written: {error:#}"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Writes tables and figures, and lists the files of the figures.
pub fn plot(made: &Made) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, store) = open(made).or_refuse()?;
    spare(made, &session, &store, overwrite::tables).or_refuse()?;
    session.make_folder().or_refuse()?;
    let files = Findings::read(&session, &store)?.write(&clock)?;
    list(files, is_figure);
    Ok(())
}

/// Writes the page, and prints its path.
pub fn page(made: &Made) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, store) = open(made).or_refuse()?;
    spare(made, &session, &store, overwrite::page).or_refuse()?;
    let page = Findings::read(&session, &store)?.write_page(&clock)?;
    say!("{}", page.display());
    Ok(())
}

fn list(files: Vec<PathBuf>, shown: impl Fn(&Path) -> bool) {
    for file in files.iter().filter(|file| shown(file)) {
        say!("{}", file.display());
    }
}

fn is_figure(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("svg" | "png"))
}

/// Whether a file or folder could not be written because it is read-only.
fn is_read_only(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(|cause: &std::io::Error| {
        matches!(
            cause.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        )
    })
}

/// Refuses to overwrite results that show other steps, unless `--force` is given.
fn spare(
    made: &Made,
    session: &Session,
    store: &Store,
    check: fn(&Session, Kept) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match made.overwrite.force {
        true => Ok(()),
        false => check(session, &|step| Ok(step.is_done(Some(store))?)),
    }
}

fn open(made: &Made) -> anyhow::Result<(Session, Store)> {
    let session = Session::open(&made.chosen)?;
    let store = Store::open_read_only(session.store_folder())?;
    examine(&session, &session.plan, &store).require_whole()?;
    output::warn_of_empty_reports(&session);
    Ok((session, store))
}
