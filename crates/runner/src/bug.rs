//! A panic is a bug of this program. It is reported in one line.

use std::fmt;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

/// The message and place of the last panic.
static LAST: Mutex<String> = Mutex::new(String::new());

/// A panic.
#[derive(Debug)]
pub struct Bug(String);

/// Runs `work`. Panics print nothing, because some libraries panic on damaged files, and their callers turn that into
/// an error.
///
/// # Errors
/// If `work` panics and does not catch it.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Bug> {
    panic::set_hook(Box::new(|info| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = describe(info);
    }));
    panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Bug(LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()))
}

/// The message and place of a panic in one line.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match info.location() {
        Some(place) => format!("{message} ({place})"),
        None => message,
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this is a bug in brink; please report it at {}/issues: {}",
            env!("CARGO_PKG_REPOSITORY"),
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_one_line() {
        let work = || rayon::scope(|_| panic!("first line\n  second line {}", 2));
        let told = caught(work).unwrap_err().to_string();
        assert!(
            told.starts_with("this is a bug in brink; please report it at https://"),
            "{told}"
        );
        let place = format!("first line second line 2 ({}:", file!());
        assert!(told.contains(&place), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }

    /// The variable is read once per process, so the test runs itself again in a process with the variable.
    #[test]
    fn an_error_has_no_backtrace() {
        const AGAIN: &str = "BRINK_TEST_AGAIN";
        if std::env::var_os(AGAIN).is_some() {
            brink_ops::backtrace::none();
            let error = candle_core::Error::Msg("it failed".to_owned()).bt();
            assert_eq!(format!("{:#}", anyhow::Error::from(error)), "it failed");
            return;
        }
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let again = again.args(["--exact", "bug::tests::an_error_has_no_backtrace"]);
        let again = again.env("RUST_BACKTRACE", "full").env(AGAIN, "");
        assert!(again.status().unwrap().success());
    }
}
