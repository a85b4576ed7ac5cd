//! Long work in small steps, so that whoever drives it can show progress, save its state and stop between any two of them.

use crate::Result;

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Steps done.
    pub done: usize,
    /// Steps in all; a job may finish earlier.
    pub total: usize,
    /// Nothing is left to do.
    pub finished: bool,
    /// What a person wants to see of it, e.g. the loss.
    pub note: String,
}

/// Long work in small steps. Restored from its own saved state, it ends with the same bits as undisturbed.
pub trait Job {
    /// What it makes.
    type Output;

    /// Does the next step; every call after a finished status does nothing.
    ///
    /// # Errors
    /// If a computation fails or diverges.
    fn advance(&mut self) -> Result<Status>;

    /// Everything needed to go on from here.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    fn save(&self) -> Result<Vec<u8>>;

    /// Takes up a saved state of the same job.
    ///
    /// # Errors
    /// If the state is not of this job.
    fn restore(&mut self, state: &[u8]) -> Result<()>;

    /// The product, once finished.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    fn finish(self: Box<Self>) -> Result<Self::Output>;
}

/// A job of one step, with nothing to save and nothing to resume: `step`.
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
