//! Ctrl-C (SIGINT), SIGTERM and SIGUSR1, which a scheduler sends some time before it ends a job. The first signal ends the process within two seconds,
//! SIGUSR1 within a minute. The second one ends it at once.
//!
//! Every file is written atomically, so the process may end at any point. It waits only for the current iteration of a
//! job, because the state of the job can be saved between two iterations. A thread keeps the time, because the main
//! thread may be busy for minutes.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use signal_hook::consts::SIGUSR1;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::say::note;
use crate::{progress, terminal};

/// How long the process waits for the current iteration after the signal.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long after SIGUSR1, so that also a long iteration ends and no work is lost.
#[cfg(unix)]
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The signals that end the process.
#[cfg(unix)]
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGUSR1];
#[cfg(not(unix))]
const ENDING: [i32; 2] = [SIGINT, SIGTERM];

/// How often the thread checks for a signal.
const TICK: Duration = Duration::from_millis(20);

/// Whether a signal came, and the work that it would interrupt.
#[derive(Clone, Default)]
pub struct Signal {
    came: Arc<AtomicBool>,
    /// The number of the signal.
    which: Arc<AtomicUsize>,
    /// Locked while a state is written, so that the process does not end meanwhile.
    work: Arc<Mutex<Option<Work>>>,
    /// What is done before the process ends.
    last_act: Arc<Mutex<Option<Act>>>,
}

/// Something that is done before the process ends.
type Act = Box<dyn Fn() + Send>;

/// The work of the step in flight.
struct Work {
    step: String,
    /// The time of its start or its last saved state.
    since: Instant,
    /// Whether it is iterating. Then it checks [`Signal::came`] soon and saves its state.
    iterating: bool,
}

/// A step in flight, until dropped.
pub struct InFlight(Signal);

impl Signal {
    /// Listens for these signals, but not for SIGHUP, so that `nohup` works.
    ///
    /// # Errors
    /// If a handler cannot be registered or the thread cannot start.
    pub fn listen() -> io::Result<Self> {
        let signal = Self::default();
        for kind in ENDING {
            // The handlers run in this order. The first signal sets the flag, so the second one ends the process.
            flag::register_conditional_shutdown(kind, 128 + kind, signal.came.clone())?;
            flag::register_usize(kind, signal.which.clone(), kind as usize)?;
            flag::register(kind, signal.came.clone())?;
        }
        let watcher = signal.clone();
        thread::Builder::new().spawn(move || watcher.watch())?;
        Ok(signal)
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        // The number of the signal is stored before this flag.
        self.came.load(Ordering::SeqCst)
    }

    /// Does `act` before a signal ends the process.
    pub fn before_the_end(&self, act: impl Fn() + Send + 'static) {
        *self.last_act.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
    }

    /// How long the process waits for the current iteration.
    fn patience(&self) -> Duration {
        #[cfg(unix)]
        if self.which.load(Ordering::SeqCst) as i32 == SIGUSR1 {
            return LONG_PATIENCE;
        }
        PATIENCE
    }

    /// Marks the beginning of the step `name`.
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
        let deadline = Instant::now() + self.patience();
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
        let which = self.which.load(Ordering::SeqCst) as i32;
        let act = self.last_act.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(act) = &*act {
            act();
        }
        progress::clear(which == SIGINT);
        let error = terminal::error();
        note!(
            "{} {told}; run the same command to go on",
            error.apply_to("error:")
        );
        // Exit without destructors: other threads still use what they would free.
        low_level::exit(128 + which)
    }

    fn work(&self) -> MutexGuard<'_, Option<Work>> {
        // A panic while a state is written leaves this value intact.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Sets whether the step is iterating, and so checks [`Signal::came`] after each iteration.
    pub fn iterating(&self, iterating: bool) {
        if let Some(work) = &mut *self.0.work() {
            work.iterating = iterating;
        }
    }

    /// Saves the state of the step with `write`, which no signal interrupts. Then ends the process if a signal came.
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
