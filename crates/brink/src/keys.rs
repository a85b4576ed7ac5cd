//! Users and their signing keys.

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::say::say;
use crate::secret::{Keyring, fresh};

/// `brink keys`.
#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    keyring: Keyring,
}

#[derive(Subcommand)]
enum Command {
    /// Add a user with a fresh key.
    Add {
        /// The user's name.
        user: String,
    },
    /// List all users and the state of their keys.
    List,
    /// Print a user's public key, for `verify --signer` on another machine.
    Export {
        /// The user's name.
        user: String,
    },
    /// Give a user a fresh key. What the old one signed stays valid.
    Rotate {
        /// The user's name.
        user: String,
    },
    /// Refuse everything that a user ever signed.
    Revoke {
        /// The user's name.
        user: String,
    },
}

impl Keys {
    /// Does what the command says.
    ///
    /// # Errors
    /// If the repository or a key cannot be used.
    pub fn run(&self) -> anyhow::Result<()> {
        let repository = self.keyring.repository()?;
        let user = match &self.command {
            Command::List => {
                for user in repository.users()? {
                    for key in &user.keys {
                        let (name, state) = (&user.name, key.state);
                        say!("{name}  {state:<7}  {}  {}", key.created, key.public);
                    }
                }
                return Ok(());
            }
            Command::Export { user } => {
                let user = repository.user(user)?;
                let Some(key) = user.active() else {
                    let name = &user.name;
                    bail!(
                        "all keys of {name} are revoked; `brink keys rotate {name}` gives a fresh one"
                    );
                };
                say!("{}", key.public);
                return Ok(());
            }
            Command::Add { user } => {
                let (lock, now) = (self.keyring.lock(true)?, brink_store::now());
                repository.add(user, &fresh()?, &lock, &now)?
            }
            Command::Rotate { user } => {
                repository.user(user)?;
                let (lock, now) = (self.keyring.lock(true)?, brink_store::now());
                repository.rotate(user, &fresh()?, &lock, &now)?
            }
            Command::Revoke { user } => repository.revoke(user)?,
        };
        match user.active() {
            Some(key) => say!("{} signs with {}", user.name, key.public),
            None => say!("all keys of {} are revoked", user.name),
        }
        Ok(())
    }
}
