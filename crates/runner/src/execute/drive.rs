//! Drives one job from where it was left to its end, saving its state on the way.

use std::time::{Duration, Instant};

use anyhow::Context;
use models::Job;
use spec::Id;

use super::Executor;
use crate::progress::Line;
use crate::provenance::Clock;

/// When to save the state of a step in flight.
#[derive(Clone, Copy)]
pub enum Saving {
    /// Every two minutes: what a power cut may cost, against some 100 MB written.
    ByTheClock,
    /// After so many iterations.
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
    /// Runs `job`, which is the work of step `id` and rests `on` the content of its images or the sum of its target, to its end. If a signal
    /// comes, the process ends here with the state saved.
    ///
    /// # Errors
    /// If the job fails, or its state can be neither read nor written.
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

    /// Goes on where an earlier session was.
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
