//! `table`, `plot` and `report`: reports out of records alone; neither images nor weights are needed.

use store::Store;

use crate::cli::Chosen;
use crate::examine::examine;
use crate::exit::Refuse;
use crate::output::Findings;
use crate::provenance::Clock;
use crate::say::say;
use crate::session::Session;

/// Prints the tables, and says where they and what they rest on are.
pub fn table(chosen: &Chosen) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, store) = open(chosen).or_refuse()?;
    session.make_folder().or_refuse()?;
    let findings = Findings::read(&session, &store)?;
    let mut files = findings.write()?;
    files.push(findings.write_journal(&clock)?);
    findings.print();
    for file in files.iter().filter(|file| !is_figure(file)) {
        say!("{}", file.display());
    }
    Ok(())
}

/// Says where the figures are.
pub fn plot(chosen: &Chosen) -> anyhow::Result<()> {
    let (session, store) = open(chosen).or_refuse()?;
    session.make_folder().or_refuse()?;
    let files = Findings::read(&session, &store)?.write()?;
    for file in files.iter().filter(|file| is_figure(file)) {
        say!("{}", file.display());
    }
    Ok(())
}

/// Makes the page, and says where it is.
pub fn page(chosen: &Chosen) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, store) = open(chosen).or_refuse()?;
    let page = Findings::read(&session, &store)?.write_page(&clock)?;
    say!("{}", page.display());
    Ok(())
}

fn is_figure(file: &std::path::Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("svg" | "png"))
}

fn open(chosen: &Chosen) -> anyhow::Result<(Session, Store)> {
    let session = Session::open(chosen)?;
    let store = Store::open_read_only(session.store_folder())?;
    examine(&session, &session.plan, &store).require()?;
    Ok((session, store))
}
