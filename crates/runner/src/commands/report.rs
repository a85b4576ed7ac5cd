//! `table` and `plot`: reports out of records alone; neither images nor weights are needed.

use std::path::PathBuf;

use store::Store;

use crate::cli::Chosen;
use crate::exit::Refuse;
use crate::output::Findings;
use crate::session::Session;

/// Prints the tables, and says where they are.
pub fn table(chosen: &Chosen) -> anyhow::Result<()> {
    report(chosen, "table", |findings| findings.print())
}

/// Says where the figure is.
pub fn plot(chosen: &Chosen) -> anyhow::Result<()> {
    report(chosen, "figure", |_| {})
}

fn report(chosen: &Chosen, stem: &str, print: impl Fn(&Findings<'_>)) -> anyhow::Result<()> {
    let session = Session::open(chosen).or_refuse()?;
    let store = Store::open_read_only(session.store_folder()).or_refuse()?;
    let findings = Findings::read(&session, &store)?;
    let files = findings.write()?;
    print(&findings);
    let wanted = |file: &&PathBuf| file.file_stem().is_some_and(|found| found == stem);
    for file in files.iter().filter(wanted) {
        println!("{}", file.display());
    }
    Ok(())
}
