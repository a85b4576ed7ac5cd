//! `completions` and `man`: what packages of the program ship beside it.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::say::say;

/// Prints the completions of a shell.
///
/// # Errors
/// If the text is not UTF-8.
pub fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "runner", &mut text);
    print(text)
}

/// Prints the manual page, with a section for each command.
///
/// # Errors
/// If the text cannot be made.
pub fn page() -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    print(text)
}

fn print(text: Vec<u8>) -> anyhow::Result<()> {
    say!("{}", String::from_utf8(text)?.trim_end());
    Ok(())
}
