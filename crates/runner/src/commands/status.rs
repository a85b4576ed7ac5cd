//! `status`: how many steps of a grid are done, what runs where, and what failed. It changes nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use brink_store::worker::Card;
use brink_store::{Failure, Id, Store, claim, worker};
use console::Term;
use serde_json::{Value, json};

use super::outline;
use crate::cli::Counted;
use crate::plan::{Plan, TargetStep};
use crate::say::say;
use crate::session::Session;

/// How often `--watch` counts.
const PERIOD: Duration = Duration::from_secs(2);

/// Prints the counts, once or until all is done or has failed.
pub fn run(counted: &Counted) -> anyhow::Result<()> {
    let (session, part) = outline::look(&counted.listed.selected)?;
    let term = Term::stdout();
    let mut shown = String::new();
    loop {
        let status = Status::of(&session, &part)?;
        let text = match counted.listed.format.json {
            true => format!("{:#}", status.json()),
            false => status.to_string(),
        };
        if text != shown {
            if term.is_term() && !shown.is_empty() {
                term.clear_last_lines(shown.lines().count())?;
            }
            say!("{text}");
        }
        if !counted.watch || status.is_over() {
            return Ok(());
        }
        shown = text;
        sleep(PERIOD);
    }
}

/// The state of a plan.
struct Status<'a> {
    targets: Vec<Count<'a>>,
    running: Vec<Running<'a>>,
    failed: Vec<(&'a str, Failure)>,
    workers: Vec<Card>,
}

/// A step that a living worker computes.
struct Running<'a> {
    name: &'a str,
    /// The steps that it leaves: one, or the open runs of an attack.
    steps: usize,
    since: String,
    worker: Card,
}

impl<'a> Status<'a> {
    fn of(session: &Session, part: &'a Plan) -> anyhow::Result<Self> {
        let store = session.records()?;
        let counts = part.targets.iter();
        let counts = counts.map(|target| Count::of(store.as_ref(), target));
        let mut status = Self {
            targets: counts.collect::<anyhow::Result<_>>()?,
            running: Vec::new(),
            failed: Vec::new(),
            workers: Vec::new(),
        };
        let Some(store) = store else {
            return Ok(status);
        };
        status.workers = living(&store)?;
        let claims = claim::all(store.root())?.into_iter();
        let claims: HashMap<Id, claim::Claim> = claims.map(|claim| (claim.step, claim)).collect();
        let mut failures = store.failures()?;
        for target in &part.targets {
            for (id, name) in target.jobs() {
                if let Some(failure) = failures.remove(&id) {
                    status.failed.push((name, failure));
                } else if let Some(claim) = claims.get(&id)
                    && let Some(worker) = status.workers.iter().find(|one| one.name == claim.worker)
                {
                    status.running.push(Running {
                        name,
                        steps: open_steps(&store, target, id)?,
                        since: claim.since.clone(),
                        worker: worker.clone(),
                    });
                }
            }
        }
        Ok(status)
    }

    fn done(&self) -> usize {
        self.targets.iter().map(|count| count.done).sum()
    }

    fn all(&self) -> usize {
        self.targets.iter().map(|count| count.all).sum()
    }

    /// The steps that are neither done nor running nor failed. What needs a failed step waits for ever.
    fn waiting(&self) -> usize {
        let running: usize = self.running.iter().map(|one| one.steps).sum();
        let rest = self.all() - self.done();
        rest.saturating_sub(running + self.failed.len())
    }

    /// Whether nothing will change without another command.
    fn is_over(&self) -> bool {
        self.done() == self.all() || (self.workers.is_empty() && !self.failed.is_empty())
    }

    fn json(&self) -> Value {
        let targets = self.targets.iter().map(|count| {
            json!({"target": count.name, "done": count.done, "steps": count.all, "half_way": count.half_way})
        });
        let running = self.running.iter().map(|one| {
            json!({"step": one.name, "steps": one.steps, "since": one.since, "worker": one.worker.name})
        });
        let failed = self.failed.iter().map(|(name, failure)| {
            json!({"step": name, "message": failure.message, "host": failure.holder.host})
        });
        let workers = self.workers.iter().map(|card| {
            let holder = &card.holder;
            json!({"name": card.name, "host": holder.host, "pid": holder.pid, "since": holder.since})
        });
        json!({
            "done": self.done(),
            "steps": self.all(),
            "waiting": self.waiting(),
            "targets": targets.collect::<Vec<_>>(),
            "running": running.collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
            "workers": workers.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for count in &self.targets {
            writeln!(f, "{:4} of {:4}  {}", count.done, count.all, count.name)?;
            for step in &count.half_way {
                writeln!(f, "              half-way: {step}")?;
            }
        }
        for one in &self.running {
            let holder = &one.worker.holder;
            let (pid, host) = (holder.pid, &holder.host);
            let (name, since) = (one.name, &one.since);
            writeln!(
                f,
                "running: {name}, by process {pid} on {host} since {since}"
            )?;
        }
        for (name, failure) in &self.failed {
            let (message, host) = (&failure.message, &failure.holder.host);
            writeln!(f, "failed: {name}, on {host}: {message}")?;
        }
        if !self.workers.is_empty() {
            let (workers, running) = (self.workers.len(), self.running.len());
            let (waiting, failed) = (self.waiting(), self.failed.len());
            writeln!(
                f,
                "workers: {workers}; steps running: {running}, waiting: {waiting}, failed: {failed}"
            )?;
        }
        write!(f, "{:4} of {:4}  in all", self.done(), self.all())
    }
}

/// The workers whose hearts beat.
fn living(store: &Store) -> anyhow::Result<Vec<Card>> {
    let all = worker::all(store.root())?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    // Who may only read the folder gets no time of its file system. The last heartbeat comes near it.
    let last = all.iter().map(|seen| seen.beat).max();
    let Some(now) = store.time().ok().or(last) else {
        return Ok(Vec::new());
    };
    let alive = all.into_iter().filter(|seen| {
        let silent = now.duration_since(seen.beat).unwrap_or_default();
        silent <= seen.card.expiry
    });
    Ok(alive.map(|seen| seen.card).collect())
}

/// The steps without a record that the job `id` of `target` leaves.
fn open_steps(store: &Store, target: &TargetStep, id: Id) -> anyhow::Result<usize> {
    let attack = target.attacks.iter().find(|attack| attack.id == id);
    let Some(attack) = attack else { return Ok(1) };
    let mut open = 0;
    for run in &attack.runs {
        open += usize::from(store.run(&run.id)?.is_none());
    }
    Ok(open)
}

/// The steps of a target.
struct Count<'a> {
    name: &'a str,
    done: usize,
    all: usize,
    /// The steps with a saved state.
    half_way: Vec<&'a str>,
}

impl<'a> Count<'a> {
    fn of(store: Option<&Store>, target: &'a TargetStep) -> anyhow::Result<Self> {
        let (mut open, mut all) = (BTreeSet::new(), 0);
        for step in target.steps() {
            all += 1;
            if !step.is_done(store)? {
                open.insert(step.id);
            }
        }
        let mut half_way = Vec::new();
        for (id, name) in target.jobs() {
            // A process that was killed after its last record leaves a state of a finished step.
            if is_open(target, &open, id)
                && let Some(store) = store
                && store.has_state(&id)?
            {
                half_way.push(name);
            }
        }
        Ok(Self {
            name: &target.name,
            done: all - open.len(),
            all,
            half_way,
        })
    }
}

/// Whether a job has steps to do. The steps of an attack are its runs.
fn is_open(target: &TargetStep, open: &BTreeSet<Id>, id: Id) -> bool {
    let attack = target.attacks.iter().find(|attack| attack.id == id);
    let mut runs = attack.iter().flat_map(|attack| &attack.runs);
    open.contains(&id) || runs.any(|run| open.contains(&run.id))
}
