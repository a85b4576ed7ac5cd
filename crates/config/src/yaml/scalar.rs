//! What a word without quotes can be, other than text.

/// A value that is not text.
#[derive(Clone, Copy, Debug)]
pub enum Typed {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, 0 or above.
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    /// Any other number.
    Float(f64),
}
