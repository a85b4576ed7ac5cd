//! How long steps will take, by the times of recorded ones.
//!
//! Work of one kind takes time in proportion to its amount. A kind is e.g. the samples of one generator for one network;
//! the amount is samples times iterations.

mod job;
mod left;
mod rates;

use std::collections::HashMap;

pub use job::{Job, open};
pub use left::Left;
pub use rates::Rates;

/// The steps to do, and what is known about their times.
#[derive(Default)]
pub struct Forecast {
    rates: Rates,
    open: Vec<Job>,
}

impl Forecast {
    /// The steps of `open`, of which none has begun.
    pub fn new(rates: Rates, open: Vec<Job>) -> Self {
        Self { rates, open }
    }

    /// The number of steps to do.
    pub fn steps(&self) -> usize {
        self.open.iter().map(|job| job.steps).sum()
    }

    /// Takes the job `name`, which begins.
    pub fn begin(&mut self, name: &str) -> Option<Job> {
        let at = self.open.iter().position(|job| job.name == name)?;
        Some(self.open.remove(at))
    }

    /// Learns from a job that took `seconds`, for the `share` of its amount.
    pub fn learn(&mut self, job: &Job, seconds: f64, share: f64) {
        self.rates.add(&job.kind, seconds, job.amount * share);
    }

    /// The time of a job, if it is known.
    pub fn time(&self, job: &Job) -> Option<f64> {
        Some(self.rates.of(&job.kind)? * job.amount)
    }

    /// The times of the jobs that have not begun, by name, as far as they are known.
    pub fn times(&self) -> HashMap<&str, f64> {
        let jobs = self.open.iter();
        let times = jobs.filter_map(|job| Some((job.name.as_str(), self.time(job)?)));
        times.collect()
    }

    /// The time of all jobs that have not begun.
    pub fn left(&self) -> Left {
        let mut left = Left::default();
        for job in &self.open {
            left.add(job, self.time(job));
        }
        left
    }
}
