//! The mark of a protected model, the file `model.brink`: pairs of images with their labels, what was measured, and what was promised.
//!
//! The owner signs a [`Mark`]. Whoever has her public key can verify it and ask the model, but cannot make or change one. The file says
//! nothing about which pairs were shown already, because that changes with every verification.

mod about;
mod error;
mod file;

pub use about::{About, Measured, Promise};
pub use error::Error;
pub use file::{FORMAT, Signed};

use brink_verify::{Head, Images, SecretKey, SensitiveSet};

/// What an owner needs to ask a model again.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Pairs with the labels of the untouched model.
    pub set: SensitiveSet,
    /// The key of the head that turns scores into these labels; `None` if they are the model's own classes.
    pub key: Option<SecretKey>,
    /// Images far from the boundary, of different labels. They tell a changed model from a server that does not look at images.
    pub anchors: Images,
    /// How they were made and are to be asked.
    pub about: About,
}

impl Mark {
    /// The head that turns scores into labels, if they are not the model's own classes.
    pub fn head(&self) -> Option<Head> {
        let key = self.key.as_ref()?;
        Some(key.head(&self.set.model_id, self.set.classes))
    }
}
