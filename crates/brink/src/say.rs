//! Standard output and standard error. A closed pipe (`brink inspect FILE | head`) is no failure, and must not change the exit code.

/// As `println!`, but a failed write does not panic.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// As `eprintln!`, but a failed write does not panic.
macro_rules! note {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

pub(crate) use {note, say};
