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

use brink_verify::{Images, SensitiveSet};

/// What an owner needs to ask a model again.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Pairs with the labels of the untouched model's own classes.
    pub set: SensitiveSet,
    /// Images far from the boundary, of different labels. They tell a changed model from a server that does not look at images.
    pub anchors: Images,
    /// How they were made and are to be asked.
    pub about: About,
}
