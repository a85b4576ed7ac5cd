//! Backtraces of errors: candle writes one into its messages, which are for users, where `RUST_BACKTRACE` is set.

/// Keeps backtraces out of the messages of errors.
///
/// To be called first of all in a program: it changes the environment, which no other thread may read meanwhile.
pub fn none() {
    // SAFETY: the caller has started no thread yet, so nothing else reads the environment.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
}
