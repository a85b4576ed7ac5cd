//! The GPU of a process, and frozen networks on it.
//!
//! A program chooses a GPU once, at its start, as it chooses the number of threads: no bit of any answer depends on either. What has no form
//! on a GPU (networks in f64, rounded layers, modules of candle) runs on the CPU.

use crate::coverage::Coverage;
use crate::error::Result;
use brink_cuda::{Gpu, Program, Weights};
use brink_ops::trace::Trace;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

static CHOSEN: OnceLock<Arc<Gpu>> = OnceLock::new();

/// From now on, networks of this process run and are trained on `gpu`. Returns whether it is the first choice; later ones change nothing.
pub fn use_gpu(gpu: Arc<Gpu>) -> bool {
    CHOSEN.set(gpu).is_ok()
}

/// The GPU of this process, if it has chosen one.
pub(crate) fn chosen() -> Option<Arc<Gpu>> {
    CHOSEN.get().cloned()
}

/// What a program depends on: the size of an image, the activation term, and whether it walks back.
pub(crate) type Key = ([usize; 3], Option<Coverage>, bool);

/// A network's weights and passes on a GPU.
pub(crate) struct OnGpu {
    weights: Weights,
    /// `None` for a pass that has no form there.
    programs: Mutex<HashMap<Key, Option<Arc<Program>>>>,
}

impl OnGpu {
    pub fn new(gpu: Arc<Gpu>) -> Self {
        Self {
            weights: Weights::new(gpu),
            programs: Mutex::default(),
        }
    }

    fn programs(&self) -> MutexGuard<'_, HashMap<Key, Option<Arc<Program>>>> {
        // A program is inserted whole.
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pass for `key`, which `trace` describes. `None` if it has no form on a GPU.
    pub fn program(
        &self,
        key: Key,
        trace: impl FnOnce() -> Result<Option<Trace>>,
    ) -> Result<Option<Arc<Program>>> {
        if let Some(program) = self.programs().get(&key) {
            return Ok(program.clone());
        }
        // Without the lock: a trace uses rayon's threads, and one of them may need this program.
        let program = match trace()? {
            Some(trace) => Some(Arc::new(Program::new(&self.weights, trace, key.2)?)),
            None => None,
        };
        Ok(self.programs().entry(key).or_insert(program).clone())
    }
}
