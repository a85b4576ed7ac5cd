//! Ctrl-C: the first one asks for a stop between two iterations, the second one does not ask.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Interrupted;

/// Whether somebody wants the work to stop.
#[derive(Clone, Default)]
pub struct Signal(Arc<AtomicBool>);

impl Signal {
    /// Listens to SIGINT (Ctrl-C) and SIGTERM. SIGHUP is left as it is, so that `nohup` keeps a run of days alive.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        let signal = Self::default();
        for kind in [SIGINT, SIGTERM] {
            // They act in this order: the flag that the first signal sets lets the second one end the process.
            flag::register_conditional_shutdown(kind, 130, Arc::clone(&signal.0))?;
            flag::register(kind, Arc::clone(&signal.0))?;
        }
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
