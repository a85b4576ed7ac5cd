//! Panics of a library that reads files are errors here.

use std::panic::{self, AssertUnwindSafe};

use parquet::errors::ParquetError;

use crate::Fault;

/// Runs `read` and makes an error of a panic, which is how `parquet` answers some damaged files. What the panic prints is up to the
/// program's panic hook.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let damaged = ParquetError::General("it is damaged where nothing checks it".into());
        Err(Fault::Parquet(damaged))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let message = guarded::<()>(|| panic!("a bug of somebody else's")).unwrap_err();
        assert!(message.to_string().contains("damaged"), "{message}");
    }
}
