//! Converts bytes to the nearest `f32`, and refuses values that are not finite.

use crate::{Error, Result};

/// The byte order of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// The other order.
    pub fn turned(self) -> Self {
        match self {
            Self::Little => Self::Big,
            Self::Big => Self::Little,
        }
    }
}

/// Appends the contiguous elements in `bytes` to `values`. `decode` reads one little-endian element, exactly. `name` is the
/// tensor's name, for messages.
pub(crate) fn append<const N: usize>(
    name: &str,
    bytes: &[u8],
    order: Order,
    decode: impl Fn([u8; N]) -> f64,
    values: &mut Vec<f32>,
) -> Result<()> {
    let read = |&(mut element): &[u8; N]| {
        if order == Order::Big {
            element.reverse();
        }
        decode(element)
    };
    let (elements, first) = (bytes.as_chunks::<N>().0, values.len());
    values.extend(elements.iter().map(|element| read(element) as f32));
    match values[first..].iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(unusable(name, read(&elements[at]), first + at)),
    }
}

/// The error about the element at `index`, in row-major order.
fn unusable(name: &str, value: f64, index: usize) -> Error {
    if value.is_finite() {
        let problem = format!("has {value:e} at {index}, too large for f32");
        Error::tensor(name, problem, "scale the weights, or train again")
    } else {
        let problem = format!("has {value} at {index}, which is not finite");
        let fix = "take a checkpoint from before the training diverged; in Python, `[k for k, v in state_dict.items() if not v.isfinite().all()]` lists such tensors";
        Error::tensor(name, problem, fix)
    }
}
