//! How many threads compute.

use anyhow::{Context, bail};
use rayon::ThreadPoolBuilder;

use crate::say::note;

/// The variable by which rayon is told.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// More only wait for each other: a hundred thousand would take minutes to start.
const MOST: usize = 256;

/// Starts the threads that the environment asks for, `MOST` or one a processor at the most. Results have the same bits with any number.
///
/// # Errors
/// If what it asks for is no number, or the threads cannot be started.
pub fn limit() -> anyhow::Result<()> {
    let Some(asked) = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty()) else {
        return Ok(());
    };
    let asked = asked.to_string_lossy();
    if asked.is_empty() || !asked.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("{VARIABLE}={asked}: this is not a whole number; write one, or unset the variable");
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = MOST.max(processors);
    // What has too many digits for a number is too many threads.
    let threads = asked.parse().unwrap_or(usize::MAX);
    if threads > most {
        note!("WARNING: {VARIABLE}={asked} is more than is of use; computing with {most} threads");
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads.min(most));
    pool.build_global().context("cannot start the threads")
}
