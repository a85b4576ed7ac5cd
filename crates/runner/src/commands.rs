//! The commands.

mod check;
mod compute;
mod datasets;
mod inputs;
mod inspect;
mod list;
mod outline;
mod report;
mod show;

use anyhow::{Context, anyhow};

use crate::cli::{Cli, Command, Selected};
use crate::exit::Refuse;
use crate::signal::Signal;

/// Runs the command of `cli`. A signal may end the process meanwhile.
///
/// # Errors
/// If the command fails. [`exit::code`](crate::exit::code) gives the exit code.
pub fn run(cli: Cli, signal: &Signal) -> anyhow::Result<()> {
    match cli.command {
        Some(Command::Plan(selected)) => outline::plan(&selected),
        Some(Command::Show { chosen, origins }) => show::run(&chosen, origins),
        Some(Command::Status(selected)) => outline::status(&selected),
        Some(Command::Check(selected)) => check::run(&selected),
        Some(Command::Table(made)) => report::table(&made),
        Some(Command::Plot(made)) => report::plot(&made),
        Some(Command::Report(made)) => report::page(&made),
        Some(Command::Data { command }) => datasets::run(command),
        Some(Command::Inspect { file }) => inspect::print(&file),
        Some(Command::List) => {
            list::print();
            Ok(())
        }
        None => {
            let chosen = cli
                .chosen
                .context("which grid? name its file: `runner CONFIG.yaml`")
                .or_refuse()?;
            if let Some(isa) = cli.how.isa.filter(|isa| !isa.force()) {
                return Err(anyhow!(
                    "--isa {isa}: this processor does not support it; leave the option out"
                ))
                .or_refuse();
            }
            let selected = Selected {
                chosen,
                only: cli.only,
            };
            if cli.how.dry_run {
                outline::plan(&selected)
            } else {
                compute::run(&selected, &cli.how, signal)
            }
        }
    }
}
