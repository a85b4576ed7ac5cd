//! Backtraces of errors: candle adds one to its error messages if `RUST_BACKTRACE` is set, but the messages are for users.

/// Keeps backtraces out of error messages.
///
/// A program must call it before it starts a thread: it changes the environment, which no other thread may read meanwhile.
pub fn none() {
    // SAFETY: the caller has not started a thread, so nothing else reads the environment.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
}
