//! The texts that a document is made of.

use super::tree::Node;

/// One text of a document.
pub(super) struct File {
    /// Its name in messages.
    pub name: String,
    pub text: String,
    /// Its own tree, without its includes. `None` if it is not YAML.
    pub root: Option<Node>,
}
