//! Progress on standard error: two lines that stay on a terminal, plain lines elsewhere.

mod display;
mod line;

use std::time::{Duration, Instant};

use brink_models::Status;

use crate::forecast::{Forecast, Job};
use crate::say::{self, Loudness, note, warning};
use crate::signal::{InFlight, Signal};
use crate::terminal::duration;

use display::Display;
pub use display::clear;
use line::{Overall, Step};

/// How often a plain line reports the progress of a step.
const EVERY: Duration = Duration::from_secs(20);

/// All steps of a command.
pub struct Progress {
    total: usize,
    /// The steps that have begun.
    begun: usize,
    /// The steps that ended without a failure.
    done: usize,
    began: Instant,
    forecast: Forecast,
    display: Option<Display>,
    signal: Signal,
}

/// One job: a step, or the runs of one attack.
pub struct Line {
    /// The work that a signal would interrupt.
    pub step: InFlight,
    name: String,
    number: String,
    /// How many steps it is.
    steps: usize,
    job: Option<Job>,
    began: Instant,
    said: Instant,
    /// The iterations of earlier sessions, once the first update tells them.
    first: Option<usize>,
    /// The iterations done, and all of them.
    iterations: (usize, usize),
    display: Option<Display>,
}

impl Progress {
    /// Progress of the steps of `forecast`, which `signal` may interrupt.
    pub fn new(forecast: Forecast, signal: Signal) -> Self {
        let total = forecast.steps();
        let overall = Overall::new(total, forecast.left());
        let wanted = total > 0 && say::loudness() > Loudness::Quiet;
        Self {
            total,
            begun: 0,
            done: 0,
            began: Instant::now(),
            forecast,
            display: wanted.then(|| Display::start(overall)).flatten(),
            signal,
        }
    }

    /// Begins the next step.
    pub fn begin(&mut self, name: &str) -> Line {
        self.begin_all(1, name)
    }

    /// Begins the next `steps`, which are one job: the runs of one attack.
    pub fn begin_all(&mut self, steps: usize, name: &str) -> Line {
        let first = self.begun + 1;
        self.begun += steps;
        let number = match steps {
            1 => first.to_string(),
            _ => format!("{first}-{}", self.begun),
        };
        let job = self.forecast.begin(name);
        if let Some(display) = &self.display {
            let time = job
                .as_ref()
                .map(|job| (job.clone(), self.forecast.time(job)));
            display.begin(Step::new(name, time), self.forecast.left());
        }
        let now = Instant::now();
        let line = Line {
            step: self.signal.begin(name),
            name: name.to_owned(),
            number: format!("[{number}/{}]", self.total),
            steps,
            job,
            began: now,
            said: now,
            first: None,
            iterations: (0, 0),
            display: self.display.clone(),
        };
        line.say("begins");
        line
    }

    /// Ends a job whose steps are done, with its result.
    pub fn end(&mut self, line: Line, result: &str) {
        let seconds = line.began.elapsed().as_secs_f64();
        if let Some(job) = &line.job {
            self.forecast.learn(job, seconds, line.share());
        }
        self.count(line.steps);
        line.say(&format!("{result} ({seconds:.1} s)"));
    }

    /// Counts finished steps, also those of a job that fails later.
    pub fn count(&mut self, steps: usize) {
        self.done += steps;
        if let Some(display) = &self.display {
            display.count(self.done, self.forecast.left());
        }
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        self.above(|| warning!("{text}"));
    }

    /// Prints a line that is no warning.
    pub fn tell(&self, text: &str) {
        if say::loudness() > Loudness::Quiet {
            self.above(|| note!("{text}"));
        }
    }

    /// Tells that another process has done a step: where nothing stays on a terminal, or if asked to say more.
    pub fn tell_step(&self, name: &str) {
        if self.display.is_none() || say::loudness() == Loudness::Verbose {
            self.tell(&format!("{name}: done"));
        }
    }

    /// Prints above the lines that stay.
    fn above(&self, print: impl FnOnce()) {
        match &self.display {
            Some(display) => display.above(print),
            None => print(),
        }
    }

    /// Ends the progress, and says how many of the steps were done.
    pub fn finish(self) {
        if let Some(display) = &self.display {
            display.end();
        }
        if self.total > 0 && say::loudness() > Loudness::Quiet {
            let time = duration(self.began.elapsed().as_secs_f64());
            note!("{} of {} steps done in {time}", self.done, self.total);
        }
    }
}

impl Line {
    /// Shows how far the step is.
    pub fn update(&mut self, status: &Status) {
        let first = *self.first.get_or_insert(status.done.saturating_sub(1));
        self.iterations = (status.done, status.total);
        if let Some(display) = &self.display {
            display.update(status, first, self.began.elapsed());
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let rate =
                (status.done.saturating_sub(first)) as f64 / self.began.elapsed().as_secs_f64();
            let left = status.total.saturating_sub(status.done) as f64 / rate;
            let text = format!(
                "{}/{}, {rate:.1}/s, {} left, {}",
                status.done,
                status.total,
                duration(left),
                status.note
            );
            self.say(&text);
        }
    }

    /// Shows what the step does while it has no iterations to count.
    pub fn note(&self, text: &str) {
        if let Some(display) = &self.display {
            display.note(text);
        }
    }

    /// The share of its iterations that it took in this session.
    fn share(&self) -> f64 {
        match self.iterations {
            (_, 0) => 1.0,
            (done, total) => (done - self.first.unwrap_or(0).min(done)) as f64 / total as f64,
        }
    }

    /// Prints a line about the step: always where nothing stays on a terminal, else only if asked to say more.
    fn say(&self, text: &str) {
        let line = || note!("{} {}: {text}", self.number, self.name);
        match &self.display {
            Some(display) if say::loudness() == Loudness::Verbose => display.above(line),
            None if say::loudness() > Loudness::Quiet => line(),
            _ => {}
        }
    }
}

impl Drop for Line {
    /// Removes its line, also if it failed.
    fn drop(&mut self) {
        if let Some(display) = &self.display {
            display.end_step();
        }
    }
}
