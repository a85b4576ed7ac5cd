//! Steps that failed, so that no other worker tries them in vain, and `status` can tell why.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Holder, Id, Result, Store, file};

/// The folder of the notes.
pub(crate) const FAILED: &str = "failed";

/// Why a step failed, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, in one line.
    pub message: String,
    /// The process that computed the step.
    pub holder: Holder,
}

impl Store {
    /// Notes that `step` failed.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ReadOnly`], [`Error::Lost`].
    pub fn note_failure(&self, step: &Id, message: &str) -> Result<()> {
        self.require_writer()?;
        let path = self.root.join(FAILED).join(step.to_string());
        let failure = Failure {
            message: message.to_owned(),
            holder: Holder::this(),
        };
        let text = serde_json::to_vec(&failure).map_err(|error| Error::damaged(&path, error))?;
        file::write(&path, &text)
    }

    /// The steps that failed since the folder was last opened for writing by one process alone.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`].
    pub fn failures(&self) -> Result<HashMap<Id, Failure>> {
        let folder = self.root.join(FAILED);
        let mut failures = HashMap::new();
        for name in file::names(&folder)? {
            let path = folder.join(&name);
            if let (Ok(step), Some(text)) = (name.parse(), file::bytes(&path)?) {
                let failure =
                    serde_json::from_slice(&text).map_err(|error| Error::damaged(&path, error))?;
                failures.insert(step, failure);
            }
        }
        Ok(failures)
    }

    /// Whether `step` failed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn has_failed(&self, step: &Id) -> Result<bool> {
        let path = self.root.join(FAILED).join(step.to_string());
        path.try_exists().map_err(Error::io("look for", &path))
    }

    /// Forgets all failures, so that workers try these steps again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn forget_failures(&self) -> Result<()> {
        file::empty(&self.root.join(FAILED))
    }
}
