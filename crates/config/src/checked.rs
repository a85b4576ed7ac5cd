//! Values that are checked when they are read. So only the parser has to handle a negative learning rate.
//!
//! Each number type holds one number within bounds. It is never NaN or infinite. It reads and writes as the plain
//! number. Its error names the value and the bounds: "`-1` is not a number above 0".

use std::{fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected},
};

/// The number is not within the bounds of its type.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct OutOfBounds {
    value: String,
    expected: &'static str,
}

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($number:ty), $expected:literal, |$value:ident| $within:expr $(, kept as $kept:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name($number);

        impl $name {
            /// What the number must be, in words.
            pub const EXPECTED: &str = $expected;

            /// Checks a number.
            ///
            /// # Errors
            /// If it is not within the bounds.
            pub fn new(value: $number) -> Result<Self, OutOfBounds> {
                Self::check(value).ok_or_else(|| OutOfBounds {
                    value: value.to_string(),
                    expected: Self::EXPECTED,
                })
            }

            /// A number from the source code, e.g. a default.
            ///
            /// # Panics
            /// If it is not within the bounds. In a constant, this is a compile error.
            pub const fn literal(value: $number) -> Self {
                match Self::check(value) {
                    Some(checked) => checked,
                    None => panic!(concat!("not ", $expected)),
                }
            }

            /// The number.
            pub const fn get(self) -> $number {
                self.0
            }

            const fn check($value: $number) -> Option<Self> {
                if $within {
                    $(let $value = $kept;)?
                    Some(Self($value))
                } else {
                    None
                }
            }
        }

        impl From<$name> for $number {
            fn from(checked: $name) -> Self {
                checked.0
            }
        }

        impl TryFrom<$number> for $name {
            type Error = OutOfBounds;

            fn try_from(value: $number) -> Result<Self, OutOfBounds> {
                Self::new(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$number>::deserialize(deserializer).map_err(|_| {
                    // The error of the plain type would not name our bounds, e.g. for -1 as a `usize`.
                    D::Error::invalid_type(Unexpected::Other("this"), &Self::EXPECTED)
                })?;
                Self::new(number).map_err(|error| {
                    D::Error::invalid_value(Unexpected::Other(&error.value), &Self::EXPECTED)
                })
            }
        }
    };
}

checked! {
    /// A finite number above 0, e.g. a factor or a step size.
    Positive(f64), "a number above 0", |value| value > 0.0 && value.is_finite()
}

// Adding 0 turns -0 into 0 and keeps every other number. So equal numbers are written, and hashed, alike.
checked! {
    /// A finite number, 0 or above, e.g. a weight decay or a learning rate (0 is the control row).
    NonNegative(f64), "a number, 0 or above", |value| value >= 0.0 && value.is_finite(), kept as value + 0.0
}

checked! {
    /// A number from 0 to 1, e.g. a momentum or a pixel.
    UnitInterval(f64), "a number from 0 to 1", |value| value >= 0.0 && value <= 1.0, kept as value + 0.0
}

checked! {
    /// A number above 0 and up to 1: a share that must not be empty.
    Share(f64), "a number above 0, up to 1", |value| value > 0.0 && value <= 1.0
}

checked! {
    /// A number above 0 and below 1: a share of which neither the part nor the rest is empty.
    Fraction(f64), "a number above 0 and below 1", |value| value > 0.0 && value < 1.0
}

checked! {
    /// A number above 0 and up to 0.5: the share of the rarer of two labels.
    Minority(f64), "a number above 0, up to 0.5", |value| value > 0.0 && value <= 0.5
}

checked! {
    /// A number of epochs, above 0 and up to 10^6. The bound keeps the count of steps from overflowing.
    Epochs(f64), "a number above 0, up to 1000000", |value| value > 0.0 && value <= 1e6
}

checked! {
    /// A whole number from 1 to 10^9: of images or iterations. The product of two still fits 64 bits.
    #[derive(Eq, Ord, Hash)]
    Count(usize), "a whole number from 1 to 1000000000", |value| value >= 1 && value <= 1_000_000_000
}

checked! {
    /// The number of samples of a set, from 1 to 20000. They are all in memory at once, hence the bound.
    #[derive(Eq)]
    Samples(usize), "a whole number from 1 to 20000", |value| value >= 1 && value <= 20_000
}

checked! {
    /// The number of repetitions, from 1 to 1000. Each repetition is a step of its own.
    #[derive(Eq)]
    Repeats(usize), "a whole number from 1 to 1000", |value| value >= 1 && value <= 1000
}

checked! {
    /// Points on a side of a square, from 3 to 999. An odd number gives the square a middle row.
    #[derive(Eq)]
    Side(usize), "an odd whole number from 3 to 999", |value| value >= 3 && value <= 999 && value % 2 == 1
}

checked! {
    /// A side of an image in pixels, from 8 to 1024.
    #[derive(Eq)]
    Edge(usize), "a whole number from 8 to 1024", |value| value >= 8 && value <= 1024
}

checked! {
    /// The number of bits that values are rounded to, from 2 to 16.
    #[derive(Eq, Hash)]
    Bits(u32), "a whole number from 2 to 16", |value| value >= 2 && value <= 16
}

/// A list with at least one entry, e.g. of seeds. An empty list would make an empty grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NonEmpty<T>(Vec<T>);

/// The list has no entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the list is empty; give at least one entry")]
pub struct Empty;

impl<T> NonEmpty<T> {
    /// Checks a list.
    ///
    /// # Errors
    /// If it is empty.
    pub fn new(entries: Vec<T>) -> Result<Self, Empty> {
        if entries.is_empty() {
            return Err(Empty);
        }
        Ok(Self(entries))
    }

    /// Changes every entry.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> NonEmpty<U> {
        NonEmpty(self.0.into_iter().map(change).collect())
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NonEmpty<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
