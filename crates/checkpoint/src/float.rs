//! Converts bytes to the nearest `f32`, and refuses values that are not finite.

use crate::{Error, Result};
use half::{bf16, f16};

/// The byte order of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// A float type that takes `N` bytes in a file.
pub(crate) trait Element<const N: usize>: Copy {
    fn from_bytes(little_endian: [u8; N]) -> Self;
    /// The nearest `f32`.
    fn narrow(self) -> f32;
    /// The exact value.
    fn wide(self) -> f64;
}

impl Element<2> for f16 {
    fn from_bytes(little_endian: [u8; 2]) -> Self {
        Self::from_le_bytes(little_endian)
    }
    fn narrow(self) -> f32 {
        self.to_f32()
    }
    fn wide(self) -> f64 {
        self.to_f64()
    }
}

impl Element<2> for bf16 {
    fn from_bytes(little_endian: [u8; 2]) -> Self {
        Self::from_le_bytes(little_endian)
    }
    fn narrow(self) -> f32 {
        self.to_f32()
    }
    fn wide(self) -> f64 {
        self.to_f64()
    }
}

impl Element<4> for f32 {
    fn from_bytes(little_endian: [u8; 4]) -> Self {
        Self::from_le_bytes(little_endian)
    }
    fn narrow(self) -> f32 {
        self
    }
    fn wide(self) -> f64 {
        self.into()
    }
}

impl Element<8> for f64 {
    fn from_bytes(little_endian: [u8; 8]) -> Self {
        Self::from_le_bytes(little_endian)
    }
    fn narrow(self) -> f32 {
        self as f32
    }
    fn wide(self) -> f64 {
        self
    }
}

/// Appends the contiguous elements in `bytes` to `values`. `name` is the tensor's name, for messages.
pub(crate) fn append<E: Element<N>, const N: usize>(
    name: &str,
    bytes: &[u8],
    order: Order,
    values: &mut Vec<f32>,
) -> Result<()> {
    let read = |&(mut element): &[u8; N]| {
        if order == Order::Big {
            element.reverse();
        }
        E::from_bytes(element)
    };
    let (elements, first) = (bytes.as_chunks::<N>().0, values.len());
    values.extend(elements.iter().map(|element| read(element).narrow()));
    match values[first..].iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(unusable(name, read(&elements[at]).wide(), first + at)),
    }
}

/// The error about the element at `index`, in row-major order.
fn unusable(name: &str, value: f64, index: usize) -> Error {
    if value.is_finite() {
        let problem = format!("has {value:e} at {index}, too large for f32");
        Error::tensor(name, problem, "scale the weights, or train again")
    } else {
        let problem = format!("has {value} at {index}, which is not finite");
        let fix = "take a checkpoint from before the training diverged";
        Error::tensor(name, problem, fix)
    }
}
