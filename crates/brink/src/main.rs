//! The owner's command line: protects a served model with signed pairs, and asks it again later.
//!
//! Only this crate prints, reads the environment and chooses paths. Results go to standard output, everything else to standard error.
//! The exit codes are those of [`exit`].

// Print through `say`: there a failed write does not end the program.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod address;
mod bar;
mod calibrate;
mod cli;
mod computing;
mod deployment;
mod example;
mod exit;
mod inspect;
mod keys;
mod marks;
mod metrics;
mod photographs;
mod protect;
mod say;
mod secret;
mod serve;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use say::note;

/// Keeps freed pages, because a network needs the same megabytes again and again.
#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

fn main() -> ExitCode {
    brink_ops::backtrace::none();
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            note!("error: {error:#}");
            exit::code(&error)
        }
    }
}
