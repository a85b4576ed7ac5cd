//! A unit as data, see [`crate::trace`].

use super::{After, Frozen, Unit};
use crate::input_gradient::Weights;
use crate::kernel::{Element, PANEL};
use crate::trace::{Elements, Geometry};
use candle_core::Result;

/// A convolution or linear layer, with what follows it: `act((a(x) + bias) * scale + shift + residual)`.
#[derive(Clone)]
pub struct Product {
    pub(super) unit: Frozen,
    pub(super) map: (usize, usize),
}

/// The weights of an input gradient.
pub enum Backward<'a> {
    /// Panels of 16 input channels, for the plan's steps.
    Panels(Elements<'a>),
    /// For up to three input channels, in f32: kernels `(o, width)`, each laid out as its patch of input `(kh, kw, c)`.
    Patches {
        /// All kernels.
        kernels: &'a [f32],
        /// Elements of one kernel with its padding.
        width: usize,
    },
}

/// Either side's unit as `$unit`, and `$wrap` for its elements.
macro_rules! each {
    ($frozen:expr, |$unit:ident, $wrap:ident| $body:expr) => {
        match $frozen {
            Frozen::F32($unit) => {
                #[allow(unused_imports)]
                use Elements::F32 as $wrap;
                $body
            }
            Frozen::F64($unit) => {
                #[allow(unused_imports)]
                use Elements::F64 as $wrap;
                $body
            }
        }
    };
}

impl Product {
    /// The unit, whatever the size of its maps. Two products of one unit have the same weights.
    pub fn identity(&self) -> usize {
        match &self.unit {
            Frozen::F32(unit) => std::sync::Arc::as_ptr(unit).addr(),
            Frozen::F64(unit) => std::sync::Arc::as_ptr(unit).addr(),
        }
    }

    /// Its sizes.
    pub fn geometry(&self) -> Geometry {
        let map = self.map;
        each!(&self.unit, |unit, _W| Geometry {
            window: unit.kind.window(),
            map,
            channels: unit.channels(),
        })
    }

    /// The weights: panels of 16 output channels, with a row for each tap and input channel. Missing columns are 0.
    pub fn forward(&self) -> Elements<'_> {
        each!(&self.unit, |unit, W| W(&unit.forward.data))
    }

    /// Added to the sums first.
    pub fn bias(&self) -> Option<Elements<'_>> {
        each!(&self.unit, |unit, W| match &unit.after {
            After::Bias(bias) => Some(W(bias)),
            After::BatchNorm { bias, .. } => bias.as_deref().map(W),
        })
    }

    /// Multiplied next.
    pub fn scale(&self) -> Option<Elements<'_>> {
        each!(&self.unit, |unit, W| unit.scale().map(W))
    }

    /// Added after the multiplication.
    pub fn shift(&self) -> Option<Elements<'_>> {
        each!(&self.unit, |unit, W| match &unit.after {
            After::Bias(_) => None,
            After::BatchNorm { shift, .. } => Some(W(shift)),
        })
    }

    /// Whether [`Product::backward`] has a form for it: there are no patches in f64.
    pub(super) fn has_form(&self) -> bool {
        matches!(self.unit, Frozen::F32(_)) || !self.geometry().scatters()
    }

    /// The weights of the input gradient, times the scale unless they are `raw`. `None` if they are patches in f64, which no trace has.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn backward(&self, raw: bool) -> Result<Option<Backward<'_>>> {
        fn of<T: Element>(unit: &Unit<T>, raw: bool) -> Result<&Weights<T>> {
            match raw {
                true => unit.raw_backward_weights(),
                false => unit.backward_weights(),
            }
        }
        Ok(match &self.unit {
            Frozen::F32(unit) => Some(match of(unit, raw)? {
                Weights::Panels(panels) => Backward::Panels(Elements::F32(&panels.data)),
                Weights::Patches(patches) => Backward::Patches {
                    kernels: patches.kernels(),
                    width: patches.kernels().len() / self.geometry().channels.1,
                },
            }),
            Frozen::F64(unit) => match of(unit, raw)? {
                Weights::Panels(panels) => Some(Backward::Panels(Elements::F64(&panels.data))),
                Weights::Patches(_) => None,
            },
        })
    }
}

impl<T: Element> Unit<T> {
    /// Input and output channels.
    fn channels(&self) -> (usize, usize) {
        let dims = self.shape.dims();
        (dims[1], dims[0])
    }
}

// The executors' kernels are written for this width.
const _: () = assert!(PANEL == 16);
