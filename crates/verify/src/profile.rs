//! How the untouched model answers when something other than its weights differs.

use serde::{Deserialize, Serialize};

/// The labels of a set's first pairs, as the untouched model gives them when it is asked in another way, e.g. through JPEG.
///
/// A model with these labels need not have other weights: the same change of the transport explains them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What differs, e.g. `images sent as JPEG`.
    pub name: String,
    /// The labels, two for each pair.
    pub labels: Vec<u32>,
}

impl Profile {
    /// The number of pairs, the first of the set.
    pub fn pairs(&self) -> usize {
        self.labels.len() / 2
    }

    /// The labels of a pair.
    ///
    /// # Panics
    /// If the profile does not have that pair.
    pub(crate) fn answer(&self, pair: usize) -> [u32; 2] {
        [self.labels[2 * pair], self.labels[2 * pair + 1]]
    }
}
