//! `--workers N`: several workers on this machine, shown as one command.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::cli::{How, Selected};
use crate::execute::Failures;
use crate::exit::Refuse;
use crate::forecast::{self, Forecast, Rates};
use crate::plan::{self, Plan, TargetStep};
use crate::progress::Progress;
use crate::session::Session;
use crate::signal::Signal;
use crate::tasks::Facts;
use crate::threads;
use anyhow::{Context, anyhow, bail};
use brink_models::device::Share;

/// How often the records are looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// Computes `part` by one process for each of `shares`. They divide the cores. Returns the failures.
///
/// # Errors
/// If a worker cannot start, or ends without doing its work.
pub fn run(
    selected: &Selected,
    how: &How,
    shares: &[Share],
    session: &Session,
    part: &Plan,
    signal: &Signal,
) -> anyhow::Result<Failures> {
    let Some(store) = session.records()? else {
        bail!("the results folder is gone");
    };
    let mut jobs = Vec::new();
    for target in &part.targets {
        jobs.extend(forecast::open(target, Some(&store))?);
    }
    let facts = Facts::new(&store);
    let mut open: Vec<_> = part.steps().collect();
    open.retain(|step| !facts.has(step.kind, &step.id));
    let mut progress = Progress::new(Forecast::new(Rates::read(&store)?, jobs), signal.clone());
    let mut crew = Crew::start(selected, how, shares)?;
    let work = signal.begin(&format!("the work of {} workers", shares.len()));
    work.iterating(true);
    let mut running = true;
    while running {
        thread::sleep(PERIOD);
        running = crew.is_running()?;
        crew.hear(&progress, running);
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
    let left = left.any(|step| !facts.has(step.kind, &step.id));
    if failures.is_empty() && !left {
        crew.tell_errors(&progress);
    }
    progress.finish();
    if failures.is_empty() && left {
        crew.blame()?;
    }
    Ok(Failures::of(failures))
}

/// What a worker says.
enum Said {
    Line(String),
    /// The error that ends it.
    Error(String),
}

/// The workers.
struct Crew {
    workers: Vec<Child>,
    said: Receiver<Said>,
    /// The errors that ended some of them, each once.
    errors: Vec<String>,
    /// How many of them were told.
    told: usize,
    /// The exit codes of those that have ended.
    codes: Vec<Option<i32>>,
}

impl Crew {
    /// Starts a worker for each of `shares`.
    fn start(selected: &Selected, how: &How, shares: &[Share]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let threads = threads::share(shares.len()).to_string();
        let (say, said) = mpsc::channel();
        let mut crew = Self {
            workers: Vec::new(),
            said,
            errors: Vec::new(),
            told: 0,
            codes: Vec::new(),
        };
        for share in shares {
            let mut command = Command::new(&program);
            command.args(["-q", "work"]).args(selected.words());
            command
                .args(["--wait", "--attended"])
                .args(how.computing.words());
            if share.device != selected.chosen.device {
                command.args(["--device", &share.device.to_string()]);
            }
            if how.computing.gpu_memory.is_none() {
                command.args(["--gpu-memory", &share.memory.to_string()]);
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
                    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
                    while let Some(line) = lines.next() {
                        let said = match line.strip_prefix("error: ") {
                            // Nothing follows but its other lines.
                            Some(error) => Said::Error(
                                lines
                                    .by_ref()
                                    .fold(error.to_owned(), |all, line| all + "\n" + &line),
                            ),
                            None => Said::Line(line),
                        };
                        // Nobody listens after the last record.
                        let _ = say.send(said);
                    }
                });
            }
            crew.workers.push(worker);
        }
        Ok(crew)
    }

    /// Tells what the workers have said. An error waits for the next time: one that ends all workers is the error of this command.
    fn hear(&mut self, progress: &Progress, running: bool) {
        if running {
            self.tell_errors(progress);
        }
        let next = || match running {
            true => self.said.try_recv().ok(),
            // Their last words may still be on the way.
            false => self.said.recv_timeout(PERIOD).ok(),
        };
        for said in std::iter::from_fn(next) {
            match said {
                Said::Line(line) => match line.strip_prefix("WARNING: ") {
                    Some(warning) => progress.warn(warning),
                    None => progress.tell(&line),
                },
                Said::Error(error) if self.errors.contains(&error) => {}
                Said::Error(error) => self.errors.push(error),
            }
        }
    }

    /// Tells the errors that were not told yet.
    fn tell_errors(&mut self, progress: &Progress) {
        for error in &self.errors[self.told..] {
            progress.warn(&format!("a worker ended: {error}"));
        }
        self.told = self.errors.len();
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
        if let Some(error) = self.errors.first() {
            return match self.codes.iter().all(|code| *code == Some(2)) {
                true => Err(anyhow!("{error}")).or_refuse(),
                false => Err(anyhow!("{error}; run the same command to go on")),
            };
        }
        match self.codes.iter().find(|code| **code != Some(0)) {
            Some(Some(code)) => bail!(
                "the workers left work: one ended with exit code {code}; run the same command to go on"
            ),
            Some(None) => {
                bail!("the workers left work: one was killed; run the same command to go on")
            }
            None => bail!(
                "the workers left work, but no step has failed; run the same command to go on"
            ),
        }
    }
}
