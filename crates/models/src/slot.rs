//! The tensors of a network: their names, their shapes and their initial distributions.

/// How a fresh tensor is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Kaiming normal, by the fan out.
    Convolution,
    /// Uniform within one over the root of the fan in.
    Linear {
        fan_in: usize,
    },
    /// Normal with this standard deviation.
    Normal {
        std: f32,
    },
    One,
    Zero,
}

/// One tensor of a network.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub name: String,
    pub shape: Vec<usize>,
    pub kind: Kind,
}
