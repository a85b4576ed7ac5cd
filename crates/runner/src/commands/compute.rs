//! A grid: computes what is missing of it, and reports.

use spec::Stream;

use crate::cli::{How, Selected};
use crate::execute::{Bench, Saving};
use crate::exit::Refuse;
use crate::output::Findings;
use crate::provenance::Clock;
use crate::say::say;
use crate::session::Session;
use crate::signal::Signal;

/// Computes the part that is selected; reports on all of the grid that there is.
pub fn run(selected: &Selected, how: &How) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, part) = Session::select(selected).or_refuse()?;
    let store = session.writer(how).or_refuse()?;
    let bench = Bench {
        store: &store,
        device: &session.device,
        key: &session.key,
        head_balance: session.grid.head_balance,
        paths: &session.paths,
        root: Stream::new(session.grid.seed),
        seed: session.grid.seed,
        signal: Signal::listen()?,
        saving: how.save_every.map_or(Saving::ByTheClock, Saving::Every),
    };
    let failures = bench.execute(&part)?;

    let findings = Findings::read(&session, &store)?;
    let mut files = findings.write()?;
    files.push(findings.write_journal(&clock)?);
    findings.print();
    for file in files {
        say!("{}", file.display());
    }
    anyhow::ensure!(failures.is_empty(), failures);
    Ok(())
}
