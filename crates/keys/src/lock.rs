//! What encrypts secrets at rest: the `age` format, by a passphrase or an identity.

use std::fmt;

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::Error;

/// Encrypts and decrypts secrets. `Debug` does not show it.
pub enum Lock {
    /// A passphrase.
    Passphrase(SecretString),
    /// An identity, as `age-keygen` writes it.
    Identity(Box<age::x25519::Identity>),
}

/// The base-2 logarithm of scrypt's work, as in the reference implementation of age: a second and 256 MiB. By default the crate `age`
/// measures the processor instead; on a busy machine it then refuses files that it wrote when the machine was idle.
const WORK: u8 = 18;
/// The largest accepted one, as in the reference implementation: a file cannot ask for hours.
const MOST_WORK: u8 = 22;

impl Lock {
    /// A passphrase, which is not empty.
    ///
    /// # Errors
    /// If it is empty.
    pub fn passphrase(text: &str) -> Result<Self, Error> {
        match text.is_empty() {
            true => Err(Error::Text("the passphrase is empty")),
            false => Ok(Self::Passphrase(SecretString::from(text))),
        }
    }

    /// The identity in a file of `age-keygen`: a line with `AGE-SECRET-KEY-1...`, after comments.
    ///
    /// # Errors
    /// If there is none. The message does not show the text.
    pub fn identity(text: &str) -> Result<Self, Error> {
        let lines = text.lines().map(str::trim);
        let mut keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let key = keys.next().and_then(|line| line.parse().ok());
        key.map(|key| Self::Identity(Box::new(key)))
            .ok_or(Error::Text(
                "not an age identity; make a file with `age-keygen`",
            ))
    }

    /// Encrypts `secret`. Only this lock opens it.
    ///
    /// # Errors
    /// If the encryption fails.
    pub(crate) fn seal(&self, secret: &str) -> Result<Vec<u8>, Error> {
        let sealed = match self {
            Self::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK);
                age::encrypt(&recipient, secret.as_bytes())
            }
            Self::Identity(identity) => age::encrypt(&identity.to_public(), secret.as_bytes()),
        };
        sealed.map_err(|_| Error::Text("the secret cannot be encrypted"))
    }

    /// Decrypts what this lock sealed; `what` names it in errors.
    ///
    /// # Errors
    /// If another lock sealed it, or it is damaged.
    pub(crate) fn open(&self, sealed: &[u8], what: &str) -> Result<Zeroizing<String>, Error> {
        let opened = match self {
            Self::Passphrase(passphrase) => {
                let mut identity = age::scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(MOST_WORK);
                age::decrypt(&identity, sealed)
            }
            Self::Identity(identity) => age::decrypt(identity.as_ref(), sealed),
        };
        let locked = |problem| Error::Locked {
            what: what.to_owned(),
            problem,
        };
        let opened = Zeroizing::new(opened.map_err(|error| {
            use age::DecryptError as E;
            locked(match (error, self) {
                (E::DecryptionFailed | E::KeyDecryptionFailed, Self::Passphrase(_)) => {
                    "the passphrase is wrong"
                }
                (E::NoMatchingKeys, Self::Passphrase(_)) => {
                    "it is encrypted to an identity; give it with --identity"
                }
                (E::NoMatchingKeys, Self::Identity(_)) => {
                    "this identity does not open it; give the one that locked it, or the passphrase"
                }
                _ => "the file is damaged; restore it from a copy",
            })
        })?);
        let text = std::str::from_utf8(&opened).map_err(|_| locked("it holds no key"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock(..)")
    }
}
