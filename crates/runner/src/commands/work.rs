//! `work`: one of many workers. It claims a task whose inputs are there, computes it, writes its records, and takes the next.

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use brink_random::Stream;
use brink_store::next::{self, Next};
use brink_store::{Error, Store};
use signal_hook::consts::SIGTERM;
use signal_hook::low_level;

use super::compute;
use crate::cli::{Selected, Working};
use crate::execute::{Bench, Failures};
use crate::exit::Refuse;
use crate::forecast::{self, Forecast, Rates};
use crate::plan::{self, Plan, TargetStep};
use crate::progress::Progress;
use crate::session::Session;
use crate::signal::Signal;
use crate::tasks::{Facts, Standing, Task, tasks};

/// How long a worker that finds nothing to do pauses: at first, and at most. A pause is twice as long as the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(2)];
/// A step in which this many workers died is not tried again.
const DEADLY: u32 = 10;

/// Works until nothing is left to claim, or with `--wait`, until nothing is left to do.
pub fn run(selected: &Selected, working: &Working, signal: &Signal) -> anyhow::Result<()> {
    if working.attended {
        end_with_standard_input()?;
    }
    let (mut session, part) = compute::prepare(selected).or_refuse()?;
    session.open_device(&working.computing).or_refuse()?;
    let store = session.shared(&part, working).or_refuse()?;
    let worker = store.worker().context("the folder is not shared")?;
    let leaving = Arc::downgrade(worker);
    signal.before_the_end(move || {
        // If the folder is gone, the claim expires.
        let _ = leaving.upgrade().map(|worker| worker.leave());
    });

    let possible = possible(&session, &part, &store);
    let mut jobs = Vec::new();
    for target in &possible.targets {
        jobs.extend(forecast::open(target, Some(&store))?);
    }
    let forecast = Forecast::new(Rates::read(&store)?, jobs);
    let mut open = tasks(&possible, &forecast);
    let mut progress = Progress::new(forecast, signal.clone());
    let executor = compute::executor(&session, &store, &working.computing, signal);
    let facts = Facts::new(&store);
    let (mut bench, mut failures) = (Bench::default(), Failures::default());
    // Workers that leave out other steps do not meet again.
    let mut stream = Stream::new(u64::from_str_radix(&worker.card().name, 16)?);
    let mut pause = PAUSES[0];
    loop {
        let id = |task: &Task<'_>| task.id;
        let claimed = worker.next(&mut open, id, |task| standing(task, &facts), &mut stream);
        let (task, part) = match claimed? {
            Next::Claimed { step, deaths, .. } if deaths >= DEADLY => {
                let why = format!(
                    "{deaths} workers ended in the middle of it; look for a lack of memory or of time, then try again with the plain command or `runner submit`"
                );
                progress.warn(&format!("{}: {why}", step.name));
                store.note_failure(&step.id, &why)?;
                worker.finish()?;
                continue;
            }
            Next::Claimed { step, from, .. } => (step, from),
            Next::Others if working.wait => {
                thread::sleep(pause);
                pause = PAUSES[1].min(2 * pause);
                continue;
            }
            Next::Others | Next::Nothing => break,
        };
        pause = PAUSES[0];
        let mut failed = Failures::default();
        let done = executor.steps_of(&part, &mut bench, &mut progress, &mut failed);
        let noted = done.and_then(|()| {
            if !failed.is_empty() {
                store.note_failure(&task.id, &failed.to_string())?;
            }
            Ok(())
        });
        match noted {
            Ok(()) => worker.finish()?,
            Err(error) if is_lost(&error) => {
                let name = task.name;
                progress.warn(&format!("{name}: {error:#}; its result is thrown away"));
                worker.give_back()?;
                bench = Bench::default();
            }
            Err(error) => return Err(error),
        }
        failures.extend(failed);
    }
    progress.finish();
    worker.leave()?;
    anyhow::ensure!(failures.is_empty(), failures);
    Ok(())
}

/// How a task stands for whoever computes it.
fn standing(task: &Task<'_>, facts: &Facts<'_>) -> anyhow::Result<next::Standing<Box<TargetStep>>> {
    Ok(match task.standing(facts)? {
        Standing::Done | Standing::Failed => next::Standing::Ended,
        Standing::Waits => next::Standing::Waits,
        Standing::Ready(part) => next::Standing::Ready(part),
    })
}

/// The part of a plan whose images and weights are on this host.
fn possible(session: &Session, part: &Plan, store: &Store) -> Plan {
    let targets = part.targets.iter();
    let here =
        |target: &&TargetStep| plan::missing_input(target, &session.paths, Some(store)).is_none();
    Plan {
        targets: targets.filter(here).cloned().collect(),
    }
}

/// Whether another worker has taken over the step.
fn is_lost(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(|cause| matches!(cause, Error::Lost { .. }))
}

/// Ends this process as SIGTERM does when its standard input ends.
fn end_with_standard_input() -> anyhow::Result<()> {
    thread::Builder::new().spawn(|| {
        // Nobody writes to it. An error means the same as its end.
        let _ = std::io::stdin().read(&mut [0]);
        let _ = low_level::raise(SIGTERM);
    })?;
    Ok(())
}
