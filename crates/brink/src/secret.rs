//! Where secrets come from: a variable, a file or the terminal; never the command line, which other users can read.

use std::env;
use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

use anyhow::{Context, bail};
use brink_keys::{Lock, Repository, Signer};
use clap::Args;
use zeroize::Zeroizing;

/// The variable with a secret key in hexadecimal digits, instead of one from the repository.
const KEY: &str = "BRINK_KEY";
/// The variable with the passphrase that opens secret keys.
const PASSPHRASE: &str = "BRINK_PASSPHRASE";

/// The repository of keys, and what opens it.
#[derive(Args)]
pub struct Keyring {
    /// The folder of users and keys [default: the variable BRINK_KEYS, else ~/.config/brink/keys].
    #[arg(long = "keys", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A file of `age-keygen` that opens secret keys [default: a passphrase, from the variable BRINK_PASSPHRASE or the terminal].
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Keyring {
    /// The repository.
    ///
    /// # Errors
    /// If other users of the machine can read it.
    pub fn repository(&self) -> anyhow::Result<Repository> {
        let named = self.folder.clone().or_else(|| variable_path("BRINK_KEYS"));
        let usual = || Some(variable_path("HOME")?.join(".config/brink/keys"));
        let folder = named.or_else(usual);
        let folder = folder.context("no folder of keys; give one with --keys")?;
        Ok(Repository::open(&folder)?)
    }

    /// What opens secret keys. A new passphrase is asked for twice.
    ///
    /// # Errors
    /// If the identity cannot be read, or nobody can be asked for a passphrase.
    pub fn lock(&self, is_new: bool) -> anyhow::Result<Lock> {
        if let Some(path) = &self.identity {
            let at = || format!("--identity {}", path.display());
            let text = Zeroizing::new(fs::read_to_string(path).with_context(at)?);
            return Lock::identity(&text).with_context(at);
        }
        if let Some(text) = variable(PASSPHRASE) {
            return Lock::passphrase(&text).context(PASSPHRASE);
        }
        if !stdin().is_terminal() {
            bail!("no passphrase; set the variable {PASSPHRASE}, or give --identity");
        }
        let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new);
        let text = ask("Passphrase: ")?;
        if is_new && *text != *ask("Again: ")? {
            bail!("the passphrases differ; try again");
        }
        Ok(Lock::passphrase(&text)?)
    }

    /// The secret key of a user: from `BRINK_KEY`, else from the repository.
    ///
    /// # Errors
    /// If there is none, or it does not open.
    pub fn signer(&self, user: &str) -> anyhow::Result<Signer> {
        if let Some(digits) = variable(KEY) {
            return Signer::from_hex(&digits).context(KEY);
        }
        let repository = self.repository()?;
        // Asked before the passphrase is.
        repository.user(user)?;
        Ok(repository.signer(user, &self.lock(false)?)?)
    }
}

/// A fresh key from the random numbers of the system.
///
/// # Errors
/// If the system has none.
pub fn fresh() -> anyhow::Result<Signer> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..]).context("the system gives no random numbers")?;
    Ok(Signer::from_seed(&seed))
}

/// The value of a variable that is set and not empty.
fn variable(name: &str) -> Option<Zeroizing<String>> {
    let value = env::var(name).ok().map(Zeroizing::new);
    value.filter(|value| !value.is_empty())
}

fn variable_path(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
