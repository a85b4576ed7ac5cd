//! Ctrl-C: the first one asks for a stop between two iterations, the second one does not ask.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Interrupted;

/// Whether somebody wants the work to stop.
#[derive(Clone, Default)]
pub struct Signal(Arc<AtomicBool>);

impl Signal {
    /// Listens to Ctrl-C (and, on Unix, to SIGTERM and SIGHUP).
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn listen() -> Result<Self, ctrlc::Error> {
        let signal = Self::default();
        let wanted = signal.0.clone();
        ctrlc::set_handler(move || {
            if wanted.swap(true, Ordering::Relaxed) {
                process::exit(130);
            }
        })?;
        Ok(signal)
    }

    /// Whether to stop.
    pub fn wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on, or not.
    ///
    /// # Errors
    /// [`Interrupted`] if somebody wants the work to stop.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.wanted() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }
}
