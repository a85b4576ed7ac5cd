//! The two lines that stay at the bottom of a terminal. They are drawn anew every second, as wide as the terminal is then.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brink_models::Status;
use console::Term;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::line::{Overall, Step};
use crate::forecast::Left;
use crate::terminal;

/// The display in use, for the end of the process.
static CURRENT: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The lines of a terminal.
#[derive(Clone)]
pub struct Display {
    bar: ProgressBar,
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    step: Option<Step>,
    overall: Overall,
}

/// Removes the lines, so that the last words of the process stand alone. `typed`: the terminal has shown `^C` below them.
pub fn clear(typed: bool) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(bar) = current.take() else { return };
    if typed {
        // The bar takes its own last line for the last one. A lost terminal needs no order.
        let _ = Term::stderr().clear_last_lines(1);
    }
    bar.finish_and_clear();
}

impl Display {
    /// Shows the lines, if standard error is a terminal.
    pub fn start(overall: Overall) -> Option<Self> {
        terminal::width_of_errors()?;
        let lines = Arc::new(Mutex::new(Lines {
            step: None,
            overall,
        }));
        let bar = ProgressBar::new_spinner();
        bar.set_style(style(&lines)?);
        bar.enable_steady_tick(Duration::from_secs(1));
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Some(Self { bar, lines })
    }

    /// A step begins; `left` is the time of those after it.
    pub fn begin(&self, step: Step, left: Left) {
        let mut lines = lock(&self.lines);
        lines.step = Some(step);
        lines.overall.left = left;
        drop(lines);
        self.bar.tick();
    }

    /// So many steps are done; `left` is the time of those that have not begun.
    pub fn count(&self, done: usize, left: Left) {
        let overall = &mut lock(&self.lines).overall;
        (overall.done, overall.left) = (done, left);
    }

    /// How far the step is, after `first` iterations of earlier sessions and `took` in this one.
    pub fn update(&self, status: &Status, first: usize, took: Duration) {
        if let Some(step) = &mut lock(&self.lines).step {
            step.update(status, first, took.as_secs_f64());
        }
    }

    /// What the step does while it has no iterations to count.
    pub fn note(&self, text: &str) {
        if let Some(step) = &mut lock(&self.lines).step {
            step.note = text.to_owned();
        }
        self.bar.tick();
    }

    /// The step has ended.
    pub fn end_step(&self) {
        lock(&self.lines).step = None;
    }

    /// Prints above the lines.
    pub fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Removes the lines.
    pub fn end(&self) {
        clear(false);
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for the lines whenever they are drawn.
fn style(lines: &Arc<Mutex<Lines>>) -> Option<ProgressStyle> {
    let (of_step, of_all) = (lines.clone(), lines.clone());
    // A full line would put the cursor onto the next one.
    let width = || terminal::width_of_errors().unwrap_or(80).saturating_sub(1);
    let step = move |_: &ProgressState, text: &mut dyn Write| {
        let lines = lock(&of_step);
        let shown = lines.step.as_ref().map(|step| step.show(width()));
        // There is no place to report that a terminal cannot be written.
        let _ = text.write_str(&shown.unwrap_or_default());
    };
    let all = move |state: &ProgressState, text: &mut dyn Write| {
        let Lines { step, overall } = &*lock(&of_all);
        let seconds = state.elapsed().as_secs_f64();
        let _ = text.write_str(&overall.show(step.as_ref(), seconds, width()));
    };
    let style = ProgressStyle::with_template("{step}\n{all}").ok()?;
    Some(style.with_key("step", step).with_key("all", all))
}
