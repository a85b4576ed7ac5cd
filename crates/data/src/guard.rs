//! Panics of a library that reads files: errors here, and nothing on the screen.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use parquet::errors::ParquetError;

use crate::Fault;

thread_local! {
    /// Whether this thread runs something whose panics are caught.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read` and makes an error of a panic, which is how `parquet` answers to some damaged files.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    static QUIET: Once = Once::new();
    // A panic that is caught would still print its message, and a backtrace.
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                loud(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let read = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(outer);
    read.unwrap_or_else(|_| {
        let damaged = ParquetError::General("it is damaged where nothing checks it".into());
        Err(Fault::Parquet(damaged))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_one_is_loud() {
        let message = guarded::<()>(|| panic!("a bug of somebody else's")).unwrap_err();
        assert!(message.to_string().contains("damaged"), "{message}");
        assert!(guarded(|| Ok(GUARDED.get())).unwrap());
        assert!(!GUARDED.get());
    }
}
