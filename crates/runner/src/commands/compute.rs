//! A grid: computes what is missing of it, and reports.

use anyhow::{Context, bail};
use data::Presence;
use spec::Stream;

use super::outline;
use crate::cli::{How, Selected};
use crate::execute::{Bench, Saving, initial};
use crate::exit::Refuse;
use crate::output::Findings;
use crate::plan::{self, Plan};
use crate::provenance::Clock;
use crate::say::say;
use crate::session::Session;
use crate::signal::Signal;

/// Computes the part that is selected; reports on all of the grid that there is.
pub fn run(selected: &Selected, how: &How, signal: &Signal) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (session, part) = Session::select(selected).or_refuse()?;
    something_to_do(&session, &part).or_refuse()?;
    usable_images(&session, &part).or_refuse()?;
    usable_weights(&session, &part).or_refuse()?;
    let store = session.writer(&part, how).or_refuse()?;
    session.make_folder().or_refuse()?;
    let bench = Bench {
        store: &store,
        device: &session.device,
        key: &session.key,
        head_balance: session.grid.head_balance,
        paths: &session.paths,
        root: Stream::new(session.grid.seed),
        seed: session.grid.seed,
        signal: signal.clone(),
        saving: how.save_every.map_or(Saving::ByTheClock, Saving::Every),
    };
    let failures = bench.execute(&part, &session.plan)?;

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

/// Refuses images that are there and, as far as the first file and image show, damaged, of targets of which something is still to be made.
fn usable_images(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    for target in &part.targets {
        if let Presence::Unusable { reason } =
            data::find(target.target.dataset, session.paths.data.as_deref())
            && outline::open(store.as_ref(), target)?
        {
            bail!("{}: {reason}", target.name);
        }
    }
    Ok(())
}

/// Refuses weight files that cannot be what they are named for, of targets that are still to be made.
fn usable_weights(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    for target in &part.targets {
        let made = store.as_ref().map(|store| store.target(&target.id));
        let made = made.transpose()?.flatten().is_some();
        let file = target.weights.as_ref();
        let there = file.is_some_and(|file| file.path.is_file());
        if there && !made {
            initial(target, &Stream::new(session.grid.seed))
                .with_context(|| target.name.clone())?;
        }
    }
    Ok(())
}

/// Refuses work of which nothing can be done, though something is missing: it would end as if it were done. What is left out of a grid of which
/// some can be done is said in its tables.
fn something_to_do(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    let mut left_out = Vec::new();
    for target in &part.targets {
        let open = outline::open(store.as_ref(), target)?;
        match plan::obstacle(target, &session.paths, store.as_ref()) {
            Some(obstacle) if open => left_out.push(format!(
                "{}: {}; to get it: `{}`",
                obstacle.dataset_title, obstacle.reason, obstacle.command
            )),
            _ => return Ok(()),
        }
    }
    bail!("nothing can be computed here\n  {}", left_out.join("\n  "))
}
