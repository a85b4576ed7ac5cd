//! The command line: reads a grid, computes its missing steps, and makes its tables and figures.
//!
//! [`plan`] turns a grid into steps. The id of a step is the hash of its inputs. [`execute`] runs the steps that have no
//! record yet. [`output`] makes tables and figures from the records. Only this crate prints, reads the environment, or
//! chooses paths.
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
//! | 138 | ended by SIGUSR1 before a time limit; the same command goes on from there |
//! | 143 | ended by SIGTERM; the same command goes on from there |

// Print through `say`: there a failed write does not end the program.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod bug;
mod cli;
mod commands;
mod examine;
mod execute;
mod exit;
mod forecast;
mod grid;
mod output;
mod plan;
mod progress;
mod provenance;
mod say;
mod session;
mod signal;
mod tasks;
mod terminal;
#[cfg(test)]
mod tests;
mod threads;

use std::process::ExitCode;

use say::note;

/// Keeps freed pages, because iterations allocate and free the same hundred megabytes again and again.
#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

fn main() -> ExitCode {
    brink_ops::backtrace::none();
    brink_ops::memory::keep_pages();
    if let Err(error) = threads::limit() {
        failed(format_args!("{error:#}"));
        return ExitCode::from(2);
    }
    // Run inside the pool. From outside, each operation of a network would wake the pool and wait for it.
    match bug::caught(|| rayon::scope(|_| run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            failed(format_args!("{error:#}"));
            exit::code(&error)
        }
        Err(bug) => {
            failed(format_args!("{bug}"));
            ExitCode::from(exit::BUG)
        }
    }
}

/// Tells the error that ends the program.
fn failed(words: std::fmt::Arguments<'_>) {
    note!("{} {words}", terminal::error().apply_to("error:"));
}

fn run() -> anyhow::Result<()> {
    let cli = cli::Cli::read();
    cli.manner.color.apply();
    say::set_loudness(cli.manner.loudness());
    let signal = signal::Signal::listen()?;
    commands::run(cli, &signal)?;
    say::check()
}
