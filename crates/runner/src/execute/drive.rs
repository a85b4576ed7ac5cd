//! Drives one job to its end. It resumes from a saved state, and saves the state on the way.

use std::time::{Duration, Instant};

use anyhow::Context;
use brink_models::Job;
use brink_store::Id;

use super::Executor;
use crate::progress::Line;
use crate::provenance::Clock;

/// When to save the state of a step in flight.
#[derive(Clone, Copy)]
pub enum Saving {
    /// Every two minutes. A crash then costs two minutes of work, and each state costs about 100 MB of writing.
    ByTheClock,
    /// Every so many iterations.
    Every(usize),
}

impl Saving {
    const PERIOD: Duration = Duration::from_secs(120);

    fn due(self, last: Instant, iterations: usize) -> bool {
        match self {
            Self::ByTheClock => last.elapsed() >= Self::PERIOD,
            Self::Every(n) => iterations.is_multiple_of(n.max(1)),
        }
    }
}

/// The parts of a saved state.
const JOB: &str = "job";
const SECONDS: &str = "seconds";

impl Executor<'_> {
    /// Runs `job`, the work of step `id`, to its end. `on` is the checksum of its input: the images of a target, or the
    /// sum of the target for every other step. If a signal comes, the process saves the state and ends here.
    ///
    /// # Errors
    /// If the job fails, or its state cannot be read or written.
    pub(super) fn drive<T>(
        &self,
        id: &Id,
        on: &str,
        mut job: Box<dyn Job<Output = T> + '_>,
        clock: &mut Clock,
        line: &mut Line,
    ) -> anyhow::Result<T> {
        self.take_up(id, on, job.as_mut(), clock)
            .with_context(|| format!("the state of step {id}"))?;
        line.step.iterating(true);
        let mut last = Instant::now();
        for iterations in 1.. {
            let status = job.advance()?;
            line.update(&status);
            if self.signal.came() || self.saving.due(last, iterations) {
                line.step.save(|| {
                    let (state, seconds) = (job.save()?, clock.seconds().to_string());
                    let parts = [(JOB, &state[..]), (SECONDS, seconds.as_bytes())];
                    Ok::<_, anyhow::Error>(self.store.save_state(id, on, &parts)?)
                })?;
                last = Instant::now();
            }
            if status.finished {
                break;
            }
        }
        line.step.iterating(false);
        Ok(job.finish()?)
    }

    /// Restores the state of an earlier session, if there is one.
    fn take_up<T>(
        &self,
        id: &Id,
        on: &str,
        job: &mut (dyn Job<Output = T> + '_),
        clock: &mut Clock,
    ) -> anyhow::Result<()> {
        for (name, bytes) in self.store.load_state(id, on)?.unwrap_or_default() {
            match name.as_str() {
                JOB => job.restore(&bytes)?,
                SECONDS => clock.before = String::from_utf8(bytes)?.parse()?,
                _ => {}
            }
        }
        Ok(())
    }
}
