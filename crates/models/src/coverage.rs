//! AID's activation term of a network, and how it enters a loss.

use crate::error::Result;
use brink_ops::{Reduction, Tape};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// AID's activation term: the negative part of the output of each layer. A convolution counts before its batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// As released: a sum over all units without a gradient. It changes only the reported loss.
    Detached,
    /// The sum over layers of the mean over units, with its gradient.
    Attached,
    /// As `Attached`, but without the classifier and without a keyed head, as in AID's own code.
    Hidden,
}

impl Coverage {
    /// The term of each image for `output (n, k)`, which is not the output of a layer of the network: `(n)`.
    ///
    /// # Errors
    /// If `output` is neither f32 nor f64.
    pub fn of(self, tape: &mut Tape, output: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Attached | Self::Hidden => {
                brink_ops::negative_part(tape, output, self.reduction())?
            }
            Self::Detached => {
                brink_ops::negative_part(&mut Tape::off(), &output.detach(), self.reduction())?
            }
        })
    }

    pub(crate) fn reduction(self) -> Reduction {
        match self {
            Self::Detached => Reduction::Sum,
            Self::Attached | Self::Hidden => Reduction::Mean,
        }
    }

    /// The term of a batch from the terms of its images: their mean or, as released, their sum.
    pub fn of_batch(self, images: &[f64]) -> f64 {
        let sum: f64 = images.iter().sum();
        match self {
            Self::Detached => sum,
            Self::Attached | Self::Hidden => sum / images.len() as f64,
        }
    }
}
