//! Runs a grid: computes its missing steps, then makes its tables and figures.

use std::collections::HashSet;

use anyhow::bail;
use brink_random::Stream;
use brink_store::{Id, Store};

use super::{inputs, workers};
use crate::cli::{Computing, How, Selected};
use crate::examine::examine;
use crate::execute::{Executor, Saving};
use crate::exit::Refuse;
use crate::output::{self, Findings, overwrite};
use crate::plan::{self, Plan, Step};
use crate::provenance::Clock;
use crate::say::{self, Loudness, say};
use crate::session::Session;
use crate::signal::Signal;

/// Computes the selected part of a grid. Reports on all records of the grid.
pub fn run(selected: &Selected, how: &How, signal: &Signal) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (mut session, part) = prepare(selected).or_refuse()?;
    let shares = match how.workers.get() {
        1 => {
            session.open_device(&how.computing).or_refuse()?;
            Vec::new()
        }
        // Workers open their devices themselves.
        workers => session.shares(workers).or_refuse()?,
    };
    let store = session.writer(&part, &how.computing).or_refuse()?;
    if !how.overwrite.force {
        let selected: HashSet<Id> = part.steps().map(|step| step.id).collect();
        let kept = |step: Step| Ok(selected.contains(&step.id) || step.is_done(Some(&store))?);
        overwrite::tables(&session, &kept).or_refuse()?;
    }
    session.make_folder().or_refuse()?;
    output::warn_of_empty_reports(&session);
    let (failures, store) = match &shares[..] {
        [] => {
            let executor = executor(&session, &store, &how.computing, signal);
            (executor.execute(&part, &session.plan)?, store)
        }
        shares => {
            // The workers open it themselves.
            drop(store);
            let failures = workers::run(selected, how, shares, &session, &part, signal)?;
            (failures, Store::open_read_only(session.store_folder())?)
        }
    };

    let whole = examine(&session, &session.plan, &store).require_whole();
    whole.map_err(|gone| match failures.is_empty() {
        true => gone,
        false => failures.clone().into(),
    })?;
    let findings = Findings::read(&session, &store)?;
    let files = findings.write(&clock)?;
    findings.print(files.len());
    if say::loudness() == Loudness::Verbose {
        for file in files {
            say!("{}", file.display());
        }
    }
    anyhow::ensure!(failures.is_empty(), failures);
    Ok(())
}

/// The selected part of a grid, whose records and files can be used.
///
/// # Errors
/// If one of them cannot, or nothing can be computed here.
pub fn prepare(selected: &Selected) -> anyhow::Result<(Session, Plan)> {
    let (session, part) = Session::select(selected)?;
    if let Some(records) = session.records()? {
        examine(&session, &session.plan, &records).require()?;
    }
    something_to_do(&session, &part)?;
    inputs::check(&session, &part)?;
    Ok((session, part))
}

/// What computes the steps of a session.
pub fn executor<'a>(
    session: &'a Session,
    store: &'a Store,
    how: &Computing,
    signal: &Signal,
) -> Executor<'a> {
    Executor {
        store,
        device: &session.device,
        key: &session.key,
        head_balance: session.grid.head_balance,
        paths: &session.paths,
        root: Stream::new(session.grid.seed),
        seed: session.grid.seed,
        signal: signal.clone(),
        saving: how.save_every.map_or(Saving::ByTheClock, Saving::Every),
    }
}

/// Refuses a part that has open steps but can run none of them. Otherwise the command would look successful. If only
/// some targets cannot run, the tables name them.
fn something_to_do(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    let mut left_out = Vec::new();
    for target in &part.targets {
        let open = target.is_open(store.as_ref())?;
        match plan::missing_input(target, &session.paths, store.as_ref()) {
            Some(missing_input) if open => left_out.push(missing_input.note()),
            _ => return Ok(()),
        }
    }
    bail!("nothing can be computed here\n  {}", left_out.join("\n  "))
}
