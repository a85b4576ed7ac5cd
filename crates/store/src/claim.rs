//! Claims: which worker computes which step.
//!
//! The claim of a step is the file `claims/<step>.<n>`, which names its worker. Exactly one worker makes it. If that worker dies, the
//! claim expires and another one makes `claims/<step>.<n + 1>`. So no worker ever removes or overwrites another's claim, and a worker
//! that was only slow finds a later claim beside its own: it has lost the step, and none of its writes succeeds any more.
//!
//! A worker may lose its claim between the last look and the write. Then two workers write one record. Both computed the same bits, so
//! the records differ only in their provenance, and a rename replaces one by the other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::worker::{Worker, lock};
use crate::{Error, Id, Result, file, folder, now};

/// The folder of the claims.
pub(crate) const CLAIMS: &str = "claims";

/// A worker's claim of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The step.
    pub step: Id,
    /// Its number: later claims of a step have higher ones.
    pub number: u32,
    /// The name of the worker.
    pub worker: String,
    /// The time by the clock of the worker (RFC 3339, UTC). It is only shown.
    pub since: String,
    /// Differs between any two claims.
    token: String,
}

impl Worker {
    /// Claims `step`, whose last claim has the number `last`, for this worker. `false` if another worker has it, or is faster.
    ///
    /// After a success the step may be finished: the other worker may have written its record meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`].
    pub fn claim(&self, step: &Id, last: Option<u32>) -> Result<bool> {
        if let Some(last) = last
            && self.is_taken(step, last)?
        {
            return Ok(false);
        }
        let claim = Claim {
            step: *step,
            number: last.map_or(1, |last| last + 1),
            worker: self.card.name.clone(),
            since: now(),
            token: folder::token(),
        };
        let path = path(&self.root, step, claim.number);
        let text = serde_json::to_vec(&claim).map_err(|error| Error::damaged(&path, error))?;
        let won = folder::publish(&path, &text)?;
        if won {
            *lock(&self.claim) = Some(claim);
        }
        Ok(won)
    }

    /// Whether the worker of the claim `number` of `step` is alive.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`].
    pub fn is_taken(&self, step: &Id, number: u32) -> Result<bool> {
        let key = (*step, number);
        let known = lock(&self.owners).get(&key).cloned();
        let owner = match known {
            Some(owner) => owner,
            // It has ended meanwhile.
            None => match read(&path(&self.root, step, number))? {
                Some(claim) => claim.worker,
                None => return Ok(false),
            },
        };
        let alive = self.is_alive(&owner)?;
        lock(&self.owners).insert(key, owner);
        Ok(alive)
    }

    /// Gives back the claim, if it has one. The step's state stays for whoever claims it next.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn give_back(&self) -> Result<()> {
        match lock(&self.claim).take() {
            Some(claim) => file::remove(&path(&self.root, &claim.step, claim.number)),
            None => Ok(()),
        }
    }

    /// Ends the claim after the step was done or has failed: removes it and the expired ones before it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(&self) -> Result<()> {
        let Some(claim) = lock(&self.claim).take() else {
            return Ok(());
        };
        for number in 1..=claim.number {
            file::remove(&path(&self.root, &claim.step, number))?;
        }
        Ok(())
    }

    /// Checks that the claim is still this worker's.
    ///
    /// # Errors
    /// [`Error::Lost`] if another worker took the step over, or finished it; [`Error::Unclaimed`] if no step is claimed.
    pub(crate) fn require_claim(&self) -> Result<()> {
        let claim = lock(&self.claim).clone();
        let Some(claim) = claim else {
            return Err(Error::Unclaimed {
                root: self.root.clone(),
            });
        };
        let own = read(&path(&self.root, &claim.step, claim.number))?;
        let later = path(&self.root, &claim.step, claim.number + 1);
        let later = later.try_exists().map_err(Error::io("look for", &later))?;
        if later || own.as_ref() != Some(&claim) {
            return Err(Error::Lost { step: claim.step });
        }
        Ok(())
    }
}

/// The number of the last claim of each claimed step.
///
/// # Errors
/// [`Error::Io`].
pub fn last(root: &Path) -> Result<HashMap<Id, u32>> {
    let mut last = HashMap::new();
    for name in file::names(&root.join(CLAIMS))? {
        let parts = name.rsplit_once('.');
        let Some((Ok(step), Ok(number))) =
            parts.map(|(step, number)| (step.parse::<Id>(), number.parse::<u32>()))
        else {
            continue;
        };
        let known = last.entry(step).or_insert(number);
        *known = number.max(*known);
    }
    Ok(last)
}

/// The last claim of each claimed step.
///
/// # Errors
/// [`Error::Io`], [`Error::Damaged`].
pub fn all(root: &Path) -> Result<Vec<Claim>> {
    let claims = last(root)?.into_iter();
    // A step may end meanwhile.
    let claims = claims.filter_map(|(step, number)| read(&path(root, &step, number)).transpose());
    claims.collect()
}

fn path(root: &Path, step: &Id, number: u32) -> PathBuf {
    root.join(CLAIMS).join(format!("{step}.{number}"))
}

fn read(path: &Path) -> Result<Option<Claim>> {
    let Some(bytes) = file::bytes(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::damaged(path, error))
}
