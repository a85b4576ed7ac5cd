//! Long work in small steps. Between two steps its driver can show progress, save the state and stop.

use crate::error::Result;

/// The progress of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Steps done.
    pub done: usize,
    /// All steps; a job may finish earlier.
    pub total: usize,
    /// Whether the job is done.
    pub finished: bool,
    /// A note for the user, e.g. the loss.
    pub note: String,
}

/// Long work in small steps. A job that is restored from its saved state ends with the same bits as an uninterrupted one.
pub trait Job {
    /// Its product.
    type Output;

    /// Does the next step. A finished job does nothing.
    ///
    /// # Errors
    /// If a computation fails or diverges.
    fn advance(&mut self) -> Result<Status>;

    /// The state from which the job can continue.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    fn save(&self) -> Result<Vec<u8>>;

    /// Restores a saved state of the same job.
    ///
    /// # Errors
    /// If the state belongs to another job.
    fn restore(&mut self, state: &[u8]) -> Result<()>;

    /// The product of the finished job.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    fn finish(self: Box<Self>) -> Result<Self::Output>;
}

/// A job with the single step `step`. It has nothing to save and nothing to resume.
pub fn once<'a, T: 'a>(step: impl FnOnce() -> Result<T> + 'a) -> Box<dyn Job<Output = T> + 'a> {
    Box::new(Once(step))
}

struct Once<F>(F);

impl<T, F: FnOnce() -> Result<T>> Job for Once<F> {
    type Output = T;

    fn advance(&mut self) -> Result<Status> {
        Ok(Status {
            done: 1,
            total: 1,
            finished: true,
            note: String::new(),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<T> {
        (self.0)()
    }
}

/// Runs a job to its end.
///
/// # Errors
/// Those of the job.
pub fn run<J: Job + ?Sized>(mut job: Box<J>) -> Result<J::Output> {
    while !job.advance()?.finished {}
    job.finish()
}
