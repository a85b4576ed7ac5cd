//! What the program says: results on standard output, everything else on standard error. A reader may leave and a disk may be full; no work is
//! lost to that.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::sync::OnceLock;

/// As `println!`, but a failure is kept for [`check`] and ends nothing.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

/// As `eprintln!`, but a failure is passed over: there is nowhere left to tell it.
macro_rules! note {
    ($($words:tt)*) => { $crate::say::note_line(format_args!($($words)*)) };
}

pub(crate) use {note, say};

/// Why standard output takes no more lines.
static REFUSED: OnceLock<io::Error> = OnceLock::new();

pub fn line(words: Arguments<'_>) {
    if REFUSED.get().is_none()
        && let Err(error) = writeln!(stdout(), "{words}")
    {
        // Empty until now, and only the main thread writes there.
        let _ = REFUSED.set(error);
    }
}

pub fn note_line(words: Arguments<'_>) {
    let _ = stderr().write_all(format!("{words}\n").as_bytes());
}

/// Whether standard output took everything; a reader that left early (`runner plan | head`) wanted no more.
///
/// # Errors
/// If it did not, e.g. because its disk is full.
pub fn check() -> anyhow::Result<()> {
    match REFUSED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
