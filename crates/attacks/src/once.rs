//! Attacks that are done in one step: nothing to save, nothing to resume.

use crate::Modified;
use models::{Job, Result, Status};

/// A job whose only step is `modify`.
pub fn once<'a>(
    modify: impl FnOnce() -> Result<Modified> + 'a,
) -> Box<dyn Job<Output = Modified> + 'a> {
    Box::new(Once(modify))
}

struct Once<F>(F);

impl<F: FnOnce() -> Result<Modified>> Job for Once<F> {
    type Output = Modified;

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

    fn finish(self: Box<Self>) -> Result<Modified> {
        (self.0)()
    }
}
