//! Suggestions for mistyped command lines that clap does not make. A mistyped command looks like a grid file, and clap
//! does not look for an option among those of other commands.

use std::path::Path;

use brink_config::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};

use super::Cli;

/// The error about `first`, the first word, if it is a mistyped command.
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
    let with = command.get_subcommands().filter(|command| has(command));
    let commands: Vec<String> = with
        .map(|command| match command.get_name() {
            "run" => "runner CONFIG.yaml".to_owned(),
            name => format!("runner {name}"),
        })
        .collect();
    if !commands.is_empty() {
        let tip = format!("`--{name}` is an option of `{}`", commands.join("`, `"));
        error.remove(ContextKind::SuggestedArg);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
}
