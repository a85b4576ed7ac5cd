//! `--workers N`: several workers on this machine, shown as one command.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::cli::{How, Selected};
use crate::device::Budget;
use crate::execute::Failures;
use crate::forecast::{self, Forecast, Rates};
use crate::plan::{self, Plan, TargetStep};
use crate::progress::Progress;
use crate::session::Session;
use crate::signal::Signal;
use crate::tasks::Facts;
use crate::threads;
use anyhow::Context;

/// How often the records are looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// Computes `part` by `workers` processes that divide the cores. Returns the failures.
///
/// # Errors
/// If a worker cannot start, or ends without doing its work.
pub fn run(
    selected: &Selected,
    how: &How,
    workers: usize,
    session: &Session,
    part: &Plan,
    signal: &Signal,
) -> anyhow::Result<Failures> {
    let Some(store) = session.records()? else {
        anyhow::bail!("the results folder is gone");
    };
    let mut jobs = Vec::new();
    for target in &part.targets {
        jobs.extend(forecast::open(target, Some(&store))?);
    }
    let facts = Facts::new(&store);
    let mut open: Vec<_> = part.steps().collect();
    open.retain(|step| !facts.has(step.kind, &step.id));
    let mut progress = Progress::new(Forecast::new(Rates::read(&store)?, jobs), signal.clone());
    let mut crew = Crew::start(selected, how, workers)?;
    let work = signal.begin(&format!("the work of {workers} workers"));
    work.iterating(true);
    let mut running = true;
    while running {
        thread::sleep(PERIOD);
        running = crew.is_running()?;
        for line in crew.said.try_iter() {
            progress.tell(&line);
        }
        open.retain(|step| {
            let done = facts.has(step.kind, &step.id);
            if done {
                progress.count(1);
                progress.tell_step(step.name);
            }
            !done
        });
        if signal.came() {
            // The signal ends this process after the workers have saved their states.
            work.save(|| crew.end())?;
        }
    }
    drop(work);
    progress.finish();
    let jobs = part.targets.iter().flat_map(TargetStep::jobs);
    let mut failed = store.failures()?;
    let failures: Vec<String> = jobs
        .filter_map(|(id, _)| failed.remove(&id))
        .map(|failure| failure.message)
        .collect();
    let possible =
        |step: &&TargetStep| plan::missing_input(step, &session.paths, Some(&store)).is_none();
    let mut left = part
        .targets
        .iter()
        .filter(possible)
        .flat_map(TargetStep::steps);
    if failures.is_empty() && left.any(|step| !facts.has(step.kind, &step.id)) {
        crew.blame()?;
    }
    Ok(Failures::of(failures))
}

/// The workers.
struct Crew {
    workers: Vec<Child>,
    /// What they say, line by line.
    said: Receiver<String>,
    /// The exit codes of those that have ended.
    codes: Vec<Option<i32>>,
}

impl Crew {
    /// Starts so many workers.
    fn start(selected: &Selected, how: &How, workers: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let threads = threads::share(workers).to_string();
        let (say, said) = mpsc::channel();
        let mut crew = Self {
            workers: Vec::new(),
            said,
            codes: Vec::new(),
        };
        for _ in 0..workers {
            let mut command = Command::new(&program);
            command.args(["-q", "work"]).args(selected.words());
            command
                .args(["--wait", "--attended"])
                .args(how.computing.words());
            if how.computing.gpu_memory.is_none() {
                let share = Budget::shared(workers).to_string();
                command.args(["--gpu-memory", &share]);
            }
            command.env(threads::VARIABLE, &threads);
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            // Ctrl-C reaches only this process, which ends the workers.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let mut worker = command.spawn().context("cannot start a worker")?;
            if let Some(stderr) = worker.stderr.take() {
                let say = say.clone();
                thread::spawn(move || {
                    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                        // Nobody listens after the last record.
                        let _ = say.send(line);
                    }
                });
            }
            crew.workers.push(worker);
        }
        Ok(crew)
    }

    /// Whether a worker still runs.
    fn is_running(&mut self) -> std::io::Result<bool> {
        let mut running = Vec::new();
        for mut worker in self.workers.drain(..) {
            match worker.try_wait()? {
                Some(status) => self.codes.push(status.code()),
                None => running.push(worker),
            }
        }
        self.workers = running;
        Ok(!self.workers.is_empty())
    }

    /// Ends the workers, and waits until they have saved their states.
    fn end(&mut self) -> std::io::Result<()> {
        for worker in &mut self.workers {
            drop(worker.stdin.take());
        }
        for worker in &mut self.workers {
            worker.wait()?;
        }
        Ok(())
    }

    /// Tells why work is left, although no step has failed.
    fn blame(&self) -> anyhow::Result<()> {
        let mut codes = self.codes.iter();
        match codes.find(|code| **code != Some(0)) {
            Some(Some(code)) => anyhow::bail!(
                "the workers left work: one ended with exit code {code}; run the same command to go on"
            ),
            Some(None) => anyhow::bail!(
                "the workers left work: one was killed; run the same command to go on"
            ),
            None => anyhow::bail!(
                "the workers left work, but no step has failed; run the same command to go on"
            ),
        }
    }
}
