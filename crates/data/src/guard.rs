//! Turns panics of the Parquet library into errors.

use std::panic::{self, AssertUnwindSafe};

use parquet::errors::ParquetError;

use crate::Fault;

/// Runs `read`, and returns an error if it panics: `parquet` panics on some damaged files. The program's panic hook decides what
/// the panic prints.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let damaged = ParquetError::General("it is damaged: the reader panicked".into());
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
