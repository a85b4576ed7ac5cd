//! Users and their signing keys (the paper's stage 0: a supplier keeps a repository of users and keys).
//!
//! A [`Signer`] signs with ed25519; whoever has its [`PublicKey`] can verify. A [`Repository`] is a folder with one folder a user:
//! public keys in `user.json`, and one file a secret, encrypted by a [`Lock`] in the format of `age`. Nothing here shows a secret, and
//! the memory of secrets is overwritten when they are dropped.

mod error;
mod lock;
mod mode;
mod public;
mod repository;
mod signer;
mod user;

pub use error::Error;
pub use lock::Lock;
pub use public::{PublicKey, Signature};
pub use repository::{Repository, Trust};
pub use signer::Signer;
pub use user::{Key, State, User};
