//! What the lines of a terminal say, in the columns that there are.

use brink_models::Status;

use crate::forecast::{Job, Left};
use crate::terminal::{duration, shorten};

/// The fewest columns of a name beside what is important, and beside the rest. What does not fit is left out.
const NAME: [usize; 2] = [16, 32];

/// How many parts of a line are important.
const IMPORTANT: usize = 3;

/// The line of all steps.
pub struct Overall {
    pub done: usize,
    total: usize,
    /// The time of the steps that have not begun.
    pub left: Left,
}

/// The line of the step that runs.
pub struct Step {
    name: String,
    /// The job, and its time if that is known.
    forecast: Option<(Job, Option<f64>)>,
    iterations: Option<Iterations>,
    pub note: String,
}

struct Iterations {
    done: usize,
    total: usize,
    /// Iterations a second; 0 until there is one.
    rate: f64,
    /// When it was measured, in seconds since the step began.
    seconds: f64,
}

impl Overall {
    /// Of `total` steps none has begun; they take `left`.
    pub fn new(total: usize, left: Left) -> Self {
        Self {
            done: 0,
            total,
            left,
        }
    }

    /// The line after `seconds`, in at most `width` columns.
    pub fn show(&self, step: Option<&Step>, seconds: f64, width: usize) -> String {
        let mut left = self.left;
        if let Some(step) = step {
            step.add_to(&mut left);
        }
        let parts = [
            format!("{} of {} steps", self.done, self.total),
            format!("{} so far", duration(seconds)),
            match left.is_unknown() {
                true => "time left unknown".to_owned(),
                false => format!("{left} left"),
            },
        ];
        let mut line = String::new();
        for part in parts {
            let comma = if line.is_empty() { "" } else { ", " };
            if columns(&line) + columns(comma) + columns(&part) <= width {
                line = line + comma + &part;
            }
        }
        shorten(&line, width)
    }
}

impl Step {
    /// The step `name`, with its job and the time of the job if they are known.
    pub fn new(name: &str, forecast: Option<(Job, Option<f64>)>) -> Self {
        Self {
            name: name.to_owned(),
            forecast,
            iterations: None,
            note: String::new(),
        }
    }

    /// Takes the status after `seconds`, in which iterations followed the `first`.
    pub fn update(&mut self, status: &Status, first: usize, seconds: f64) {
        self.iterations = Some(Iterations {
            done: status.done,
            total: status.total,
            rate: status.done.saturating_sub(first) as f64 / seconds,
            seconds,
        });
        self.note.clone_from(&status.note);
    }

    /// The line in at most `width` columns: the name first, then as much of the rest as fits.
    pub fn show(&self, width: usize) -> String {
        let mut rest = String::new();
        for (nth, part) in self.parts().into_iter().enumerate() {
            let name = NAME[usize::from(nth >= IMPORTANT)].min(columns(&self.name));
            if name + columns(&rest) + 2 + columns(&part) <= width {
                rest = rest + "  " + &part;
            }
        }
        shorten(&self.name, width - columns(&rest).min(width)) + &rest
    }

    /// What there is to say, the most important first.
    fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if let Some(at) = &self.iterations {
            parts.push(format!("{}/{}", at.done, at.total));
            parts.push(bar(at.done, at.total));
            if let Some(seconds) = at.left() {
                parts.push(format!("{}{} left", self.at_most(), duration(seconds)));
            }
        }
        parts.extend((!self.note.is_empty()).then(|| self.note.clone()));
        parts.extend(self.iterations.iter().map(|at| format!("{:.1}/s", at.rate)));
        parts
    }

    fn at_most(&self) -> &'static str {
        match &self.forecast {
            Some((job, _)) if job.may_end_early => "at most ",
            _ => "",
        }
    }

    /// Adds its own time: as measured, else as forecast.
    fn add_to(&self, left: &mut Left) {
        if let Some((job, forecast)) = &self.forecast {
            let measured = self.iterations.as_ref().and_then(Iterations::left);
            left.add(job, measured.or(*forecast));
        }
    }
}

impl Iterations {
    /// Seconds to the last iteration.
    fn left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.done) as f64 / self.rate;
        (self.seconds > 0.0 && left.is_finite()).then_some(left)
    }
}

/// Twelve columns, as full as the share that is done.
fn bar(done: usize, total: usize) -> String {
    const WIDTH: usize = 12;
    let full = (WIDTH * done.min(total)).checked_div(total).unwrap_or(0);
    "█".repeat(full) + &"░".repeat(WIDTH - full)
}

fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Step {
        let name = "cifar10-resnet18/ours/finetune/lr=1e-10/seed0";
        let job = Job {
            name: name.to_owned(),
            steps: 1,
            kind: String::new(),
            amount: 1.0,
            may_end_early: true,
        };
        let mut step = Step::new(name, Some((job, None)));
        let status = Status {
            done: 300,
            total: 1000,
            finished: false,
            note: "margin 1e-3".to_owned(),
        };
        step.update(&status, 0, 10.0);
        step
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let overall = Overall::new(340, Left::default());
        for width in 1..200 {
            assert!(columns(&step().show(width)) <= width, "{width}");
            assert!(
                columns(&overall.show(None, 9999.0, width)) <= width,
                "{width}"
            );
        }
    }

    #[test]
    fn a_wider_terminal_says_more() {
        let shown = [40, 80, 160].map(|width| step().show(width));
        let expected = [
            "cifar10-…0/seed0  300/1000  ███░░░░░░░░░",
            "cifar10-resnet18/o…une/lr=1e-10/seed0  300/1000  ███░░░░░░░░░  at most 23 s left",
            "cifar10-resnet18/ours/finetune/lr=1e-10/seed0  300/1000  ███░░░░░░░░░  at most 23 s left  margin 1e-3  30.0/s",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_running_step_counts_as_time_left() {
        let overall = Overall::new(340, Left::default());
        let shown = overall.show(Some(&step()), 100.0, 80);
        assert_eq!(shown, "0 of 340 steps, 2 min so far, at most 23 s left");
    }
}
