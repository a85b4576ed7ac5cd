//! What a grid needs to know of a data set, of the registry or one's own.

/// Name, title and counts of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its identifier in records.
    pub name: String,
    /// Its title in tables.
    pub title: String,
    /// The number of classes; labels are `0..classes`.
    pub classes: usize,
    /// The number of training images.
    pub train: usize,
    /// The number of test images.
    pub test: usize,
    /// The shape of an image after reading, `(c, h, w)`.
    pub shape: [usize; 3],
    /// Whether the training images come in groups of near-duplicates (the frames of a track).
    pub tracks: bool,
}
