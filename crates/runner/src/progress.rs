//! Progress for people: bars on a terminal, plain lines elsewhere. All of it goes to standard error.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use models::Status;

use crate::say::note;
use crate::signal::{InFlight, Signal};

/// How often a plain line says how far a step is.
const EVERY: Duration = Duration::from_secs(20);

/// All steps of a command.
pub struct Progress {
    total: usize,
    done: usize,
    began: Instant,
    bars: Option<(MultiProgress, ProgressBar)>,
    signal: Signal,
}

/// One step.
pub struct Line {
    /// What a signal would interrupt.
    pub step: InFlight,
    name: String,
    number: String,
    began: Instant,
    said: Instant,
    /// Iterations that an earlier session had done.
    first: Option<usize>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For `total` steps, which `signal` may interrupt.
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
            done: 0,
            began: Instant::now(),
            bars,
            signal,
        }
    }

    /// The next step begins.
    pub fn begin(&mut self, name: &str) -> Line {
        self.done += 1;
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
            number: format!("[{}/{}]", self.done, self.total),
            began: now,
            said: now,
            first: None,
            bar,
        };
        line.say("begins");
        line
    }

    /// The step is over, and this is what came out.
    pub fn end(&self, line: Line, result: &str) {
        match (&line.bar, &self.bars) {
            (Some(bar), Some((all, overall))) => {
                bar.finish_and_clear();
                overall.inc(1);
                // A terminal that has just gone away is no reason to stop.
                let _ = all.println(format!("{}: {result}", line.name));
            }
            _ => line.say(&format!(
                "{result} ({:.1} s)",
                line.began.elapsed().as_secs_f64()
            )),
        }
    }

    /// Something that must not be overlooked.
    pub fn warn(&self, text: &str) {
        match &self.bars {
            Some((all, _)) => drop(all.println(format!("WARNING: {text}"))),
            None => note!("WARNING: {text}"),
        }
    }

    /// All steps are over.
    pub fn finish(self) {
        match self.bars {
            Some((_, overall)) => overall.finish_and_clear(),
            None if self.total > 0 => note!(
                "{} steps in {}",
                self.total,
                HumanDuration(self.began.elapsed())
            ),
            None => {}
        }
    }
}

impl Line {
    /// How far the step is.
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

    /// What is done meanwhile, where there are no iterations to count.
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
    /// A step that failed leaves no bar behind.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        // There is nobody to tell if the terminal's line cannot be written.
        let _ = write!(text, "{:.1}/s", state.per_sec());
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", rate)
}
