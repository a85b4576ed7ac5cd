//! The number of threads.

use anyhow::{Context, bail};
use rayon::ThreadPoolBuilder;

use crate::say::warning;

/// The variable that rayon reads.
pub const VARIABLE: &str = "RAYON_NUM_THREADS";

/// The most threads, unless there are more processors. More threads only wait, and 100,000 take minutes to start.
const MOST: usize = 256;

/// Starts as many threads as the environment asks for: at most `MOST`, or one per processor if these are more. Results
/// have the same bits with any number of threads.
///
/// # Errors
/// If the variable is not a whole number, or the threads cannot start.
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
    // A number with too many digits is too many threads.
    let threads = asked.parse().unwrap_or(usize::MAX);
    if threads > most {
        warning!("{VARIABLE}={asked} is too many; computing with {most} threads");
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads.min(most));
    pool.build_global().context("cannot start the threads")
}

/// The threads of each of so many processes that divide the threads of this one.
pub fn share(processes: usize) -> usize {
    (rayon::current_num_threads() / processes).max(1)
}
