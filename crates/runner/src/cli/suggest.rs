//! Suggestions for mistyped command lines that clap does not make. clap takes a mistyped command for the grid file, and
//! does not look for an option among those of other commands.

use std::path::Path;

use brink_config::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};

use super::Cli;

/// The error about `first`, the first argument, if it is a mistyped command.
pub fn mistyped_command(first: &str) -> Option<Error> {
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    if names.contains(&first) || Path::new(first).exists() {
        return None;
    }
    let meant = nearest(first, names)?.to_owned();
    let mut error = Error::new(ErrorKind::InvalidSubcommand).with_cmd(&command);
    let first = ContextValue::String(first.to_owned());
    error.insert(ContextKind::InvalidSubcommand, first);
    let meant = ContextValue::Strings(vec![meant]);
    error.insert(ContextKind::SuggestedSubcommand, meant);
    Some(error)
}

/// Adds to an error about an unknown option which commands have this option.
pub fn name_commands_of_option(error: &mut Error) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let Some(name) = option.strip_prefix("--").map(str::to_owned) else {
        return;
    };
    let command = Cli::command();
    let has = |command: &Command| {
        let mut options = command
            .get_arguments()
            .filter(|option| !option.is_hide_set());
        options.any(|option| option.get_long() == Some(&name))
    };
    let run = has(&command).then(|| "runner CONFIG.yaml".to_owned());
    let others = command.get_subcommands().filter(|command| has(command));
    let others = others.map(|command| format!("runner {}", command.get_name()));
    let commands: Vec<String> = run.into_iter().chain(others).collect();
    if !commands.is_empty() {
        let tip = format!("`--{name}` is an option of `{}`", commands.join("`, `"));
        error.remove(ContextKind::SuggestedArg);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
}
