//! Standard output. A closed pipe (`brink inspect FILE | head`) is no failure, and must not change the exit code.

/// As `println!`, but a failed write does not panic.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

pub(crate) use say;
