//! A line of the journal that `brink watch` writes.

use serde::{Deserialize, Serialize};

use crate::said::Said;

/// A verification at some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in RFC 3339.
    pub at: String,
    /// The id of the mark.
    pub mark: String,
    /// Whether this is the second "changed" in a row.
    pub alarm: bool,
    /// What was said.
    #[serde(flatten)]
    pub said: Said,
}
