//! The folder of users and keys.

use std::fs;
use std::path::{Path, PathBuf};

use crate::user::{FORMAT, is_name};
use crate::{Error, Key, Lock, PublicKey, Signer, State, User, mode};

const USER: &str = "user.json";

/// A folder of users.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
}

/// What a repository says of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The signatures of this user count.
    Of(String),
    /// This user's key was revoked.
    Revoked(String),
    /// Nobody here has the key.
    Unknown,
}

impl Repository {
    /// The repository in the folder `root`. A folder that does not exist is an empty repository.
    ///
    /// # Errors
    /// If other users of the machine can read the folder.
    pub fn open(root: &Path) -> Result<Self, Error> {
        if root.exists() {
            mode::check(root)?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Adds a user whose first key is `signer`, made at `now`, encrypted by `lock`.
    ///
    /// # Errors
    /// If the name is none or taken, or the files cannot be written.
    pub fn add(&self, name: &str, signer: &Signer, lock: &Lock, now: &str) -> Result<User, Error> {
        if !is_name(name) {
            return Err(Error::Name(name.to_owned()));
        }
        if self.folder(name).exists() {
            return Err(Error::Exists(name.to_owned()));
        }
        mode::folder(&self.folder(name))?;
        let user = User {
            format: FORMAT,
            name: name.to_owned(),
            keys: Vec::new(),
        };
        self.give(user, signer, lock, now)
    }

    /// Gives a user the new key `signer`. Old keys sign no more, but their signatures count.
    ///
    /// # Errors
    /// If there is no such user, or the files cannot be written.
    pub fn rotate(
        &self,
        name: &str,
        signer: &Signer,
        lock: &Lock,
        now: &str,
    ) -> Result<User, Error> {
        let mut user = self.user(name)?;
        for key in &mut user.keys {
            if key.state == State::Active {
                key.state = State::Retired;
            }
        }
        self.give(user, signer, lock, now)
    }

    /// Revokes all keys of a user: their signatures count no more.
    ///
    /// # Errors
    /// If there is no such user, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<User, Error> {
        let mut user = self.user(name)?;
        for key in &mut user.keys {
            key.state = State::Revoked;
        }
        self.write(&user)?;
        Ok(user)
    }

    /// All users, by name.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn users(&self) -> Result<Vec<User>, Error> {
        self.names()?.iter().map(|name| self.user(name)).collect()
    }

    /// The user of a name.
    ///
    /// # Errors
    /// If there is none, or the file is damaged.
    pub fn user(&self, name: &str) -> Result<User, Error> {
        let path = self.folder(name).join(USER);
        if !is_name(name) || !path.exists() {
            return Err(Error::Unknown {
                name: name.to_owned(),
                known: self.names()?,
            });
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let damaged = |problem: String| Error::Damaged {
            path: path.clone(),
            problem,
        };
        let user: User = serde_json::from_slice(&bytes)
            .map_err(|e| damaged(format!("not a user of a repository: {e}; restore the file")))?;
        if user.format != FORMAT {
            let found = user.format;
            return Err(damaged(format!(
                "format {found} is not the format {FORMAT} that this version reads"
            )));
        }
        Ok(user)
    }

    /// The active key of a user, decrypted by `lock`.
    ///
    /// # Errors
    /// If there is no such user or key, if others can read the file, or `lock` does not open it.
    pub fn signer(&self, name: &str, lock: &Lock) -> Result<Signer, Error> {
        let user = self.user(name)?;
        let key = user.active().ok_or_else(|| Error::NoKey(name.to_owned()))?;
        let path = self.secret(name, key.public);
        mode::check(&path)?;
        let sealed = fs::read(&path).map_err(Error::io("read", &path))?;
        let signer = Signer::from_hex(&lock.open(&sealed, &path.display().to_string())?)?;
        match signer.public() == key.public {
            true => Ok(signer),
            false => Err(Error::Damaged {
                path,
                problem: "the secret belongs to another key; restore the file".to_owned(),
            }),
        }
    }

    /// What is known of a public key.
    ///
    /// # Errors
    /// If a user cannot be read.
    pub fn trust(&self, public: PublicKey) -> Result<Trust, Error> {
        for user in self.users()? {
            if let Some(key) = user.keys.iter().find(|key| key.public == public) {
                return Ok(match key.state {
                    State::Active | State::Retired => Trust::Of(user.name),
                    State::Revoked => Trust::Revoked(user.name),
                });
            }
        }
        Ok(Trust::Unknown)
    }

    /// Writes the secret first: a key in `user.json` always has one.
    fn give(&self, mut user: User, signer: &Signer, lock: &Lock, now: &str) -> Result<User, Error> {
        let public = signer.public();
        let sealed = lock.seal(&signer.to_hex())?;
        mode::write(&self.secret(&user.name, public), &sealed)?;
        user.keys.push(Key {
            public,
            created: now.to_owned(),
            state: State::Active,
        });
        self.write(&user)?;
        Ok(user)
    }

    fn write(&self, user: &User) -> Result<(), Error> {
        let path = self.folder(&user.name).join(USER);
        let json = serde_json::to_vec_pretty(user).map_err(|e| Error::Damaged {
            path: path.clone(),
            problem: e.to_string(),
        })?;
        mode::write(&path, &json)
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&self.root).map_err(Error::io("read", &self.root))?;
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| is_name(name) && self.folder(name).join(USER).exists())
            .collect();
        names.sort();
        Ok(names)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn secret(&self, name: &str, public: PublicKey) -> PathBuf {
        self.folder(name).join(format!("{}.age", public.short()))
    }
}
