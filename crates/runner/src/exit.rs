//! The exit codes of errors. The table is in the documentation of the crate and in `--help`.

use std::process::ExitCode;

/// The exit codes in `--help`.
pub const HELP: &str = "Exit codes:
  0    all that was asked for is done
  1    a step failed, or standard output cannot be written; all else is done and kept, and the same command tries it again
  2    refused before any work: command line, grid file, key, data, device, results folder or disk
  101  a bug in this program; what was saved is kept
  130  interrupted by Ctrl-C (SIGINT); the same command goes on from there
  138  ended by SIGUSR1 before a time limit; the same command goes on from there
  143  ended by SIGTERM; the same command goes on from there";

/// The exit code of a bug in this program.
pub const BUG: u8 = 101;

/// An error before any work.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Refused(anyhow::Error);

/// Marks errors before any work.
pub trait Refuse<T> {
    /// The same result, but its error has exit code 2.
    ///
    /// # Errors
    /// The error of the result.
    fn or_refuse(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Refuse<T> for Result<T, E> {
    fn or_refuse(self) -> anyhow::Result<T> {
        self.map_err(|error| Refused(error.into()).into())
    }
}

/// The exit code of an error.
pub fn code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Refused>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
