//! The command that may be left out: `runner CONFIG.yaml` means `runner run CONFIG.yaml`.

use std::ffi::OsString;

use clap::{CommandFactory, Error};

use super::{Cli, suggest};

/// The arguments with their command.
///
/// # Errors
/// If the first word is a mistyped command.
pub fn arguments(all: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, Error> {
    let mut all: Vec<OsString> = all.collect();
    let at = command_place(&all);
    if let Some(word) = all.get(at) {
        let word = word.to_string_lossy();
        if let Some(mistyped) = suggest::mistyped_command(&word) {
            return Err(mistyped);
        }
        if !is_command(&word) {
            all.insert(at, "run".into());
        }
    }
    Ok(all)
}

/// The place of the command: after the program and the options that every command has.
fn command_place(all: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(word) = all.get(at) {
        at += match word.to_string_lossy().as_ref() {
            "-q" | "--quiet" | "-v" | "--verbose" => 1,
            "--color" => 2,
            word if word.starts_with("--color=") => 1,
            _ => break,
        };
    }
    at
}

/// Whether the word is a command, or asks for help or the version.
fn is_command(word: &str) -> bool {
    let answers = ["help", "-h", "--help", "-V", "--version"];
    let command = Cli::command();
    let mut names = command.get_subcommands().map(clap::Command::get_name);
    answers.contains(&word) || names.any(|name| name == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_command(words: &str) -> String {
        let words = ["runner"].into_iter().chain(words.split_whitespace());
        let all = arguments(words.map(OsString::from)).unwrap();
        all.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn a_grid_is_run() {
        assert_eq!(with_command("a.yaml --force"), "runner run a.yaml --force");
        assert_eq!(
            with_command("--dry-run a.yaml"),
            "runner run --dry-run a.yaml"
        );
        let colourless = with_command("-q --color never a.yaml");
        assert_eq!(colourless, "runner -q --color never run a.yaml");
    }

    #[test]
    fn a_command_stays_one() {
        for same in ["run a.yaml", "-q plan a.yaml", "--version", "help plan", ""] {
            assert_eq!(with_command(same), format!("runner {same}").trim());
        }
    }
}
