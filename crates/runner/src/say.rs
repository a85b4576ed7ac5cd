//! Output: results go to standard output, everything else to standard error. A failed write, e.g. to a closed pipe or a
//! full disk, does not stop the work.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::sync::OnceLock;

/// As `println!`, but a failure does not panic. [`check`] reports it later.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

/// As `eprintln!`, but ignores a failure, because there is no place left to report it.
macro_rules! note {
    ($($words:tt)*) => { $crate::say::note_line(format_args!($($words)*)) };
}

/// As [`note`], with `WARNING:` before it.
macro_rules! warning {
    ($($words:tt)*) => {
        $crate::say::note!("{} {}", $crate::terminal::warning().apply_to("WARNING:"), format_args!($($words)*))
    };
}

pub(crate) use {note, say, warning};

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Errors and warnings, and what a listing command lists.
    Quiet,
    /// Also progress, the main tables and a summary.
    #[default]
    Usual,
    /// Everything.
    Verbose,
}

static LOUDNESS: OnceLock<Loudness> = OnceLock::new();

/// Sets how much is said, once, before anything is.
pub fn set_loudness(loudness: Loudness) {
    // A second call would be a bug, but no reason to stop.
    let _ = LOUDNESS.set(loudness);
}

/// How much is said.
pub fn loudness() -> Loudness {
    LOUDNESS.get().copied().unwrap_or_default()
}

/// The first failure of standard output.
static REFUSED: OnceLock<io::Error> = OnceLock::new();

pub fn line(words: Arguments<'_>) {
    if REFUSED.get().is_none()
        && let Err(error) = writeln!(stdout(), "{words}")
    {
        // This cannot fail: it was empty above, and only the main thread writes it.
        let _ = REFUSED.set(error);
    }
}

pub fn note_line(words: Arguments<'_>) {
    let _ = stderr().write_all(format!("{words}\n").as_bytes());
}

/// Checks that standard output took everything. A closed pipe (`runner plan | head`) is no failure.
///
/// # Errors
/// If a line could not be written, e.g. to a full disk.
pub fn check() -> anyhow::Result<()> {
    match REFUSED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
