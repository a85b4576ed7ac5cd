//! The commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::computing::Computing;
use crate::{calibrate, example, exit, inspect, keys, protect, serve, verify, watch};

/// Checks that a served model is still yours: protects it with signed pairs of images, and asks it again later.
#[derive(Parser)]
#[command(name = "brink", version, after_help = exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add, list, export, rotate or revoke users and their signing keys.
    Keys(keys::Keys),
    /// Make pairs beside the decision boundary of a served model, and sign them.
    Protect(protect::Protect),
    /// Ask a served model pair by pair whether it is still the protected one.
    Verify(verify::Verify),
    /// Ask all pairs in several ways: how this deployment's own arithmetic moves answers.
    Calibrate(calibrate::Calibrate),
    /// Verify again and again, and write a journal.
    Watch(watch::Watch),
    /// Say what a file holds: a mark or weights.
    Inspect {
        /// The file.
        file: PathBuf,
    },
    /// Serve weights of Brink's networks over HTTP, for trials and tests.
    Serve(serve::Serve),
    /// Write an example: a small trained network, a changed copy of it, and photographs.
    Example {
        /// The folder to write to. It must not exist.
        folder: PathBuf,
        #[command(flatten)]
        computing: Computing,
    },
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// Anything that must be corrected, or a model that does not answer.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Keys(keys) => keys.run().map(|()| ExitCode::SUCCESS),
            Command::Protect(protect) => protect.run().map(|()| ExitCode::SUCCESS),
            Command::Verify(verify) => verify.run(),
            Command::Calibrate(calibrate) => calibrate.run().map(|()| ExitCode::SUCCESS),
            Command::Watch(watch) => watch.run(),
            Command::Inspect { file } => inspect::run(&file).map(|()| ExitCode::SUCCESS),
            Command::Serve(serve) => serve.run().map(|()| ExitCode::SUCCESS),
            Command::Example { folder, computing } => {
                example::run(&folder, &computing).map(|()| ExitCode::SUCCESS)
            }
        }
    }
}
