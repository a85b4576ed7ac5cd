//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use brink_models::Status;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::say::note;
use crate::signal::{InFlight, Signal};

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
    bars: Option<(MultiProgress, ProgressBar)>,
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
    began: Instant,
    said: Instant,
    /// The iterations of earlier sessions, once the first update tells them.
    first: Option<usize>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress of `total` steps, which `signal` may interrupt.
    pub fn new(total: usize, signal: Signal) -> Self {
        let bars = stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let overall = all.add(ProgressBar::new(total as u64));
            overall.set_style(style("{pos} of {len} steps, {elapsed} so far"));
            overall.enable_steady_tick(Duration::from_secs(1));
            (all, overall)
        });
        Self {
            total,
            begun: 0,
            done: 0,
            began: Instant::now(),
            bars,
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
        let bar = self.bars.as_ref().map(|(all, overall)| {
            let bar = all.insert_before(overall, ProgressBar::new(0));
            bar.set_style(style(
                "{prefix} {bar:24} {pos}/{len}  {rate}, {eta} left  {wide_msg}",
            ));
            bar.set_prefix(name.to_owned());
            bar
        });
        let now = Instant::now();
        let line = Line {
            step: self.signal.begin(name),
            name: name.to_owned(),
            number: format!("[{number}/{}]", self.total),
            steps,
            began: now,
            said: now,
            first: None,
            bar,
        };
        line.say("begins");
        line
    }

    /// Ends a job whose steps are done, with its result.
    pub fn end(&mut self, line: Line, result: &str) {
        self.count(line.steps);
        match (&line.bar, &self.bars) {
            (Some(bar), Some((all, _))) => {
                bar.finish_and_clear();
                // A lost terminal must not stop the work.
                let _ = all.println(format!("{}: {result}", line.name));
            }
            _ => line.say(&format!(
                "{result} ({:.1} s)",
                line.began.elapsed().as_secs_f64()
            )),
        }
    }

    /// Counts finished steps, also those of a job that fails later.
    pub fn count(&mut self, steps: usize) {
        self.done += steps;
        if let Some((_, overall)) = &self.bars {
            overall.inc(steps as u64);
        }
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        match &self.bars {
            Some((all, _)) => drop(all.println(format!("WARNING: {text}"))),
            None => note!("WARNING: {text}"),
        }
    }

    /// Ends the progress, and says how many of the steps were done.
    pub fn finish(self) {
        match self.bars {
            Some((_, overall)) => overall.finish_and_clear(),
            None if self.total > 0 => note!(
                "{} of {} steps done in {}",
                self.done,
                self.total,
                HumanDuration(self.began.elapsed())
            ),
            None => {}
        }
    }
}

impl Line {
    /// Shows how far the step is.
    pub fn update(&mut self, status: &Status) {
        let first = *self.first.get_or_insert(status.done.saturating_sub(1));
        if let Some(bar) = &self.bar {
            if bar.length() != Some(status.total as u64) {
                bar.set_length(status.total as u64);
                bar.set_position(status.done as u64);
                bar.reset_eta();
            }
            bar.set_position(status.done as u64);
            bar.set_message(status.note.clone());
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let rate =
                (status.done.saturating_sub(first)) as f64 / self.began.elapsed().as_secs_f64();
            let left = status.total.saturating_sub(status.done) as f64 / rate;
            let text = format!(
                "{}/{}, {rate:.1}/s, {left:.0} s left, {}",
                status.done, status.total, status.note
            );
            self.say(&text);
        }
    }

    /// Shows on the bar what the step does while it has no iterations to count.
    pub fn note(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    fn say(&self, text: &str) {
        if self.bar.is_none() {
            note!("{} {}: {text}", self.number, self.name);
        }
    }
}

impl Drop for Line {
    /// Removes the bar of a failed step.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        // There is no place to report that the terminal cannot be written.
        let _ = write!(text, "{:.1}/s", state.per_sec());
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", rate)
}
