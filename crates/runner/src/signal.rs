//! Ctrl-C (SIGINT) and SIGTERM: the first one ends the process within two seconds, whatever it is doing; the second one ends it at once.
//!
//! Every file is written atomically, so the process may end anywhere. Only the iterations of a job are worth a wait, because the state of the
//! job can be saved between two of them. A thread keeps the time: the main thread may be busy for minutes.

use std::io::{self, IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::say::note;

/// How long an iteration may take to its end after the signal.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(20);

/// Whether somebody wants the process to end, and what would be lost.
#[derive(Clone, Default)]
pub struct Signal {
    came: Arc<AtomicBool>,
    /// Its number.
    which: Arc<AtomicUsize>,
    /// Locked while a state is being written: the process does not end before that is done.
    work: Arc<Mutex<Option<Work>>>,
}

/// The work of the step in flight.
struct Work {
    step: String,
    /// Since when nothing of it was saved.
    since: Instant,
    /// Whether it will look at [`Signal::came`] soon, to save its state.
    iterating: bool,
}

/// A step in flight, until dropped.
pub struct InFlight(Signal);

impl Signal {
    /// Listens to SIGINT and SIGTERM. SIGHUP is left as it is, so that `nohup` keeps a run of days alive.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        let signal = Self::default();
        for kind in [SIGINT, SIGTERM] {
            // They act in this order: the flag that the first signal sets lets the second one end the process.
            flag::register_conditional_shutdown(kind, 128 + kind, signal.came.clone())?;
            flag::register_usize(kind, signal.which.clone(), kind as usize)?;
            flag::register(kind, signal.came.clone())?;
        }
        let watcher = signal.clone();
        thread::Builder::new().spawn(move || watcher.watch())?;
        Ok(signal)
    }

    /// Whether to stop.
    pub fn came(&self) -> bool {
        // What the flag promises, the number of the signal, was stored before it.
        self.came.load(Ordering::SeqCst)
    }

    /// The step `name` begins.
    pub fn begin(&self, name: &str) -> InFlight {
        *self.work() = Some(Work {
            step: name.to_owned(),
            since: Instant::now(),
            iterating: false,
        });
        InFlight(self.clone())
    }

    /// Ends the process after the first signal, unless [`InFlight::save`] does it in time.
    fn watch(&self) -> ! {
        while !self.came() {
            thread::sleep(TICK);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let work = self.work();
            match &*work {
                Some(work) if work.iterating && Instant::now() < deadline => {}
                Some(Work { step, since, .. }) => self.exit(&format!(
                    "{step}: interrupted; its last {:.1} s are not saved",
                    since.elapsed().as_secs_f64()
                )),
                None => self.exit("interrupted"),
            }
            drop(work);
            thread::sleep(TICK);
        }
    }

    fn exit(&self, told: &str) -> ! {
        // Progress bars leave the cursor at the end of a line.
        let line = if stderr().is_terminal() { "\n" } else { "" };
        note!("{line}error: {told}; run the same command to go on");
        // At once: other threads are still computing with what destructors would take away.
        low_level::exit(128 + self.which.load(Ordering::SeqCst) as i32)
    }

    fn work(&self) -> MutexGuard<'_, Option<Work>> {
        // A panic while a state was being written leaves nothing half-changed here.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Whether the step is at its iterations, and looks at [`Signal::came`] after each.
    pub fn iterating(&self, iterating: bool) {
        if let Some(work) = &mut *self.0.work() {
            work.iterating = iterating;
        }
    }

    /// Saves the state of the step by `write`, without being interrupted. If a signal came, the process ends then.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn save<E>(&self, write: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut work = self.0.work();
        write()?;
        if let Some(work) = &mut *work {
            if self.0.came() {
                self.0
                    .exit(&format!("{}: interrupted; its state is saved", work.step));
            }
            work.since = Instant::now();
        }
        Ok(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        *self.0.work() = None;
    }
}
