//! One forward pass: the state that the layers of a network share.

use crate::access::Access;
use crate::conv_bn::Running;
use crate::error::Result;
use crate::levels::{Range, Rounding};
use brink_ops::{Reduction, Tape};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use std::slice;

/// Which statistics batch normalisation uses in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNormMode {
    /// It normalises with the running statistics and does not change them.
    Eval,
    /// It normalises with the statistics of the batch and updates the running statistics.
    Train,
}

/// The layers of one architecture: channels-last images in, logits `(n, classes)` out.
pub(crate) trait Body: Send + Sync {
    /// What can be had of it.
    fn access(&self) -> Access {
        Access::Layers
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor>;
}

/// One forward pass through the layers.
pub(crate) struct Pass<'a> {
    pub tape: &'a mut Tape,
    pub batch_norm: BatchNormMode,
    /// The source of dropout masks. Without one, no unit is dropped.
    pub dropout: Option<&'a mut Stream>,
    /// The activation term of each layer so far, and its reduction. Only frozen networks compute it.
    pub coverage: Option<(Reduction, Vec<Tensor>)>,
    /// What happens to the output of each layer. Only frozen networks use it.
    pub outputs: Outputs<'a>,
    /// Notes what a device leaves to the host. With it, the pass is a description: no running statistics move.
    pub left: Option<&'a mut Left>,
}

/// What a training pass on a device leaves to the host, in the order of the layers.
#[derive(Default)]
pub(crate) struct Left {
    /// The running statistics that move towards those of the batch.
    pub running: Vec<Running>,
    /// The masks of dropouts.
    pub masks: Vec<Mask>,
}

/// A dropout for which a device needs a mask.
pub(crate) struct Mask {
    /// Units of one image.
    units: usize,
    /// The share that is dropped.
    share: f32,
}

impl Mask {
    /// The mask for so many images: 0 for a dropped unit, and the inverse of the share of kept units for a kept one.
    pub fn draw(&self, images: usize, stream: &mut Stream) -> Vec<f32> {
        let unit = |_| match stream.uniform() < self.share {
            true => 0.0,
            false => 1.0 / (1.0 - self.share),
        };
        (0..images * self.units).map(unit).collect()
    }
}

impl<'a> Pass<'a> {
    pub fn new(tape: &'a mut Tape, batch_norm: BatchNormMode) -> Self {
        Self {
            tape,
            batch_norm,
            dropout: None,
            coverage: None,
            outputs: Outputs::Plain,
            left: None,
        }
    }

    /// Whether images can be processed independently, so that a large batch may be split between layers.
    pub fn images_are_independent(&self) -> bool {
        !self.tape.is_recording()
            && self.batch_norm == BatchNormMode::Eval
            && self.coverage.is_none()
            && matches!(self.outputs, Outputs::Plain)
    }

    /// Drops a `share` of the units of `x` if the pass has dropout masks.
    pub fn dropout(&mut self, x: &Tensor, share: f32) -> Result<Tensor> {
        let Some(stream) = &mut self.dropout else {
            return Ok(x.clone());
        };
        let images = x.dim(0)?;
        let mask = Mask {
            units: x.elem_count() / images.max(1),
            share,
        };
        let drawn = mask.draw(images, stream);
        if let Some(left) = &mut self.left {
            left.masks.push(mask);
        }
        let mask = Tensor::from_vec(drawn, x.shape(), &Device::Cpu)?;
        let mask = mask.to_device(x.device())?.to_dtype(x.dtype())?;
        Ok(brink_ops::dropout(self.tape, x, &mask)?)
    }

    /// Runs a layer: `covered` if the pass collects the activation term, otherwise `plain`.
    pub fn layer(
        &mut self,
        plain: impl FnOnce(&mut Tape) -> candle_core::Result<Tensor>,
        covered: impl FnOnce(&mut Tape, Reduction) -> candle_core::Result<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let y = match &mut self.coverage {
            None => plain(self.tape)?,
            Some((reduction, terms)) => {
                let (y, term) = covered(self.tape, *reduction)?;
                terms.push(term);
                y
            }
        };
        self.outputs.layer(y)
    }
}

/// What happens to the output of each layer in a forward pass.
pub(crate) enum Outputs<'a> {
    /// It is passed on.
    Plain,
    /// It is rounded, each layer's in its own way.
    Rounded(slice::Iter<'a, Rounding>),
    /// It is passed on, and its range is recorded.
    Measured(&'a mut Vec<Range>),
}

impl Outputs<'_> {
    /// Handles the output of the next layer.
    fn layer(&mut self, y: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Plain => y,
            Self::Rounded(layers) => {
                let rounding = layers.next().expect("every layer has its rounding");
                let mut values = values(&y)?;
                rounding.round(&mut values);
                Tensor::from_vec(values, y.shape(), y.device())?.to_dtype(y.dtype())?
            }
            Self::Measured(ranges) => {
                ranges.push(Range::of(&values(&y)?));
                y
            }
        })
    }
}

/// All elements in f32, the type of PyTorch's scales.
fn values(y: &Tensor) -> Result<Vec<f32>> {
    Ok(y.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}
