//! Which step a worker takes next.
//!
//! The first one that nobody has claimed. Workers that begin at once would all try the same step, so whoever loses a race leaves out some
//! steps, at random and more after each loss. Claimed steps are looked at only if no other can be taken: so a worker reads the claims of
//! others when it has nothing else to do.

use std::collections::HashSet;

use brink_random::Stream;

use crate::worker::Worker;
use crate::{Error, Id, claim};

/// How a step stands.
#[derive(Debug)]
pub enum Standing<P> {
    /// It is done, or never will be.
    Ended,
    /// It needs something that is not there yet.
    Waits,
    /// It can be computed from this.
    Ready(P),
}

/// What a worker does next.
#[derive(Debug)]
pub enum Next<T, P> {
    /// This step, which is now claimed.
    Claimed {
        /// The step.
        step: T,
        /// What it is computed from.
        from: P,
        /// Workers that claimed it before and died.
        deaths: u32,
    },
    /// Nothing now: others compute the remaining steps, or what these need.
    Others,
    /// Nothing any more.
    Nothing,
}

/// The largest number of steps that are left out after a loss.
const FARTHEST: usize = 1 << 10;

impl Worker {
    /// Claims the first of the `open` steps that can be computed, and takes it out of them. Ended ones are removed, too.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`], or that of `standing`.
    pub fn next<T, P, E: From<Error>>(
        &self,
        open: &mut Vec<T>,
        id: impl Fn(&T) -> Id,
        mut standing: impl FnMut(&T) -> Result<Standing<P>, E>,
        stream: &mut Stream,
    ) -> Result<Next<T, P>, E> {
        let claims = claim::last(self.root())?;
        let mut ended = HashSet::new();
        let mut found = None;
        'found: for are_claimed in [false, true] {
            let (mut at, mut leap) = (0, 1);
            while let Some(step) = open.get(at) {
                let (this, position) = (id(step), at);
                at += 1;
                let last = claims.get(&this).copied();
                if last.is_some() != are_claimed {
                    continue;
                }
                if let Some(last) = last
                    && self.is_taken(&this, last)?
                {
                    continue;
                }
                match standing(step)? {
                    Standing::Waits => {}
                    Standing::Ended => {
                        ended.insert(this);
                    }
                    Standing::Ready(_) if !self.claim(&this, last)? => {
                        at += stream.below(leap);
                        leap = FARTHEST.min(2 * leap);
                    }
                    // Another worker may have ended the step just before.
                    Standing::Ready(_) => match standing(step)? {
                        Standing::Ready(from) => {
                            found = Some((position, from, last.unwrap_or(0)));
                            break 'found;
                        }
                        Standing::Waits => self.finish()?,
                        Standing::Ended => {
                            self.finish()?;
                            ended.insert(this);
                        }
                    },
                }
            }
        }
        let next = match found {
            Some((position, from, deaths)) => Next::Claimed {
                step: open.remove(position),
                from,
                deaths,
            },
            None if ended.len() == open.len() => Next::Nothing,
            None => Next::Others,
        };
        open.retain(|step| !ended.contains(&id(step)));
        Ok(next)
    }
}
