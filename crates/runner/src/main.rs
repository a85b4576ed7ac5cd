//! The command line: reads a grid, computes what is missing of it, and reports.
//!
//! A grid becomes a [`plan`] of steps, each named by the hash of all that goes into it; [`execute`] does those that have
//! no record yet, and [`output`] makes tables and figures of the records. This is the only crate that prints, reads the
//! environment or knows a path.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | all that was asked for is done |
//! | 1 | a step failed, or standard output cannot be written; all else is done and kept, and the same command tries it again |
//! | 2 | refused before any work: command line, grid file, key, data, device, results folder or disk |
//! | 101 | a bug in this program; what was saved is kept |
//! | 130 | interrupted by Ctrl-C (SIGINT); the same command goes on from there |
//! | 143 | ended by SIGTERM; the same command goes on from there |

// What is printed goes through `say`, which no failure to print can end.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod bug;
mod cli;
mod commands;
mod device;
mod examine;
mod execute;
mod exit;
mod grid;
mod oracle;
mod output;
mod plan;
mod progress;
mod provenance;
mod say;
mod session;
mod signal;
#[cfg(test)]
mod tests;
mod threads;

use std::process::ExitCode;

use say::note;

/// Iterations allocate and free the same hundred megabytes over and over: keep the pages.
#[global_allocator]
static ALLOCATOR: ops::memory::Allocator = ops::memory::Allocator;

fn main() -> ExitCode {
    ops::backtrace::none();
    ops::memory::keep_pages();
    if let Err(error) = threads::limit() {
        note!("error: {error:#}");
        return ExitCode::from(2);
    }
    // Inside the pool: from outside, each of a network's operations would wake it and wait for it.
    match bug::caught(|| rayon::scope(|_| run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            note!("error: {error:#}");
            exit::code(&error)
        }
        Err(bug) => {
            note!("error: {bug}");
            ExitCode::from(exit::BUG)
        }
    }
}

fn run() -> anyhow::Result<()> {
    let cli = cli::Cli::read();
    let signal = signal::Signal::listen()?;
    commands::run(cli, &signal)?;
    say::check()
}
