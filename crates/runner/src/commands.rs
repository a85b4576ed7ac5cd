//! The commands.

mod check;
mod clean;
mod compute;
mod datasets;
mod inputs;
mod inspect;
mod list;
mod manual;
mod outline;
mod report;
mod show;
mod status;
mod submit;
mod work;
mod workers;

use anyhow::anyhow;

use crate::cli::{Cli, Command, Computing};
use crate::exit::Refuse;
use crate::signal::Signal;

/// Runs the command of `cli`. A signal may end the process meanwhile.
///
/// # Errors
/// If the command fails. [`exit::code`](crate::exit::code) gives the exit code.
pub fn run(cli: Cli, signal: &Signal) -> anyhow::Result<()> {
    match cli.command {
        Command::Run { selected, how } => {
            choose_isa(&how.computing).or_refuse()?;
            match how.dry_run {
                true => outline::plan(&selected, false),
                false => compute::run(&selected, &how, signal),
            }
        }
        Command::Plan(listed) => outline::plan(&listed.selected, listed.format.json),
        Command::Show { chosen, origins } => show::run(&chosen, origins),
        Command::Status(counted) => status::run(&counted),
        Command::Work { selected, working } => {
            choose_isa(&working.computing).or_refuse()?;
            work::run(&selected, &working, signal)
        }
        Command::Submit(submitted) => submit::run(&submitted),
        Command::Check(selected) => check::run(&selected),
        Command::Table(made) => report::table(&made),
        Command::Plot(made) => report::plot(&made),
        Command::Report(made) => report::page(&made),
        Command::Data { command } => datasets::run(command),
        Command::Inspect { file } => inspect::print(&file),
        Command::List { name, format } => list::run(name.as_deref(), format.json),
        Command::Clean(clean) => clean::run(&clean),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man => manual::page(),
    }
}

/// Computes with the instruction set that is asked for.
fn choose_isa(how: &Computing) -> anyhow::Result<()> {
    match how.isa {
        Some(isa) if !isa.force() => Err(anyhow!(
            "--isa {isa}: this processor does not support it; leave the option out"
        )),
        _ => Ok(()),
    }
}
