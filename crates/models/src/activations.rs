//! Activations on evenly spaced levels, as in a network that computes with small integers: PyTorch's fake quantisation of
//! every layer's output, on levels that follow from the outputs' range over some images.
//!
//! A layer is a convolution or a linear layer with all that is fused to it: batch normalisation, residual sum and ReLU.
//! The network's images are left as they are; its logits, the last layer's output, are not.

use crate::{Network, Result};
use candle_core::{DType, Tensor};
use data::Split;
use spec::checked::Bits;
use std::slice;

/// Half of the numbers that so many bits can hold.
const fn half(bits: Bits) -> i32 {
    1 << (bits.get() - 1)
}

/// The least and the largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least; infinite if there are no values.
    pub low: f32,
    /// The largest.
    pub high: f32,
}

impl Range {
    /// Of no values.
    const NOTHING: Self = Self {
        low: f32::INFINITY,
        high: f32::NEG_INFINITY,
    };

    /// Of `values`.
    pub fn of(values: &[f32]) -> Self {
        let grown = |range: Self, &value: &f32| {
            range.with(Self {
                low: value,
                high: value,
            })
        };
        values.iter().fold(Self::NOTHING, grown)
    }

    /// Of its values and those of `other`.
    fn with(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// Evenly spaced levels `(q - zero) * scale` for whole `q` from `lowest` to `highest`; 0 is one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    scale: f32,
    zero: i32,
    lowest: i32,
    highest: i32,
}

impl Levels {
    /// `2^bits - 1` levels, as many below 0 as above, the outermost at the value of `range` furthest from 0.
    pub fn symmetric(bits: Bits, range: Range) -> Self {
        let highest = half(bits) - 1;
        let furthest = range.high.max(-range.low).max(0.0);
        Self {
            scale: spacing(furthest, highest),
            zero: 0,
            lowest: -highest,
            highest,
        }
    }

    /// `2^bits` levels from one end of `range` to the other, moved by less than one so that 0 is a level; a range on one side of 0 is
    /// taken to reach it.
    pub fn affine(bits: Bits, range: Range) -> Self {
        let (low, high) = (range.low.min(0.0), range.high.max(0.0));
        let (lowest, highest) = (-half(bits), half(bits) - 1);
        let scale = spacing(high - low, highest - lowest);
        let zero = lowest - (low / scale).round_ties_even() as i32;
        Self {
            scale,
            zero: zero.clamp(lowest, highest),
            lowest,
            highest,
        }
    }

    /// The distance of two levels.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Moves each value to its nearest level, from half way between two to the even one.
    pub fn round(&self, values: &mut [f32]) {
        // As PyTorch has it: a product with the inverse, not a quotient.
        let inverse = 1.0 / self.scale;
        let [zero, lowest, highest] = [self.zero, self.lowest, self.highest].map(|q| q as f32);
        for value in values {
            let q = zero + (*value * inverse).round_ties_even();
            *value = (q.clamp(lowest, highest) - zero) * self.scale;
        }
    }
}

/// The distance of levels that divide `width` into `steps`; with no width there is only 0, which any distance has.
fn spacing(width: f32, steps: i32) -> f32 {
    (width / steps as f32).max(f32::MIN_POSITIVE)
}

/// The levels of all layers' outputs, in the order of the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations(Vec<Levels>);

impl Activations {
    /// [Affine](Levels::affine) levels for outputs of these ranges.
    pub fn affine(bits: Bits, ranges: &[Range]) -> Self {
        let levels = ranges.iter().map(|&range| Levels::affine(bits, range));
        Self(levels.collect())
    }

    /// The levels, one entry a layer.
    pub fn levels(&self) -> &[Levels] {
        &self.0
    }
}

/// Images asked at a time.
const BATCH: usize = 125;

/// The range of each layer's outputs over the images `indices` of `split`, in the order of the forward pass.
///
/// # Errors
/// If the images do not fit the network.
pub fn calibrate(network: &Network, split: &Split, indices: &[usize]) -> Result<Vec<Range>> {
    let [c, h, w] = split.shape();
    let mut all: Vec<Range> = Vec::new();
    for batch in indices.chunks(BATCH) {
        let images = Tensor::from_vec(
            split.images(batch),
            (batch.len(), c, h, w),
            network.device(),
        )?
        .to_dtype(network.dtype())?;
        let ranges = network.ranges(&images)?;
        all.resize(ranges.len(), Range::NOTHING);
        for (range, new) in all.iter_mut().zip(ranges) {
            *range = range.with(new);
        }
    }
    Ok(all)
}

/// What becomes of the layers' outputs in a forward pass.
pub(crate) enum Outputs<'a> {
    /// They are passed on.
    Plain,
    /// They are rounded, each layer's to its own levels.
    Rounded(slice::Iter<'a, Levels>),
    /// They are passed on, and their ranges noted.
    Measured(&'a mut Vec<Range>),
}

impl Outputs<'_> {
    /// The output of the next layer.
    pub fn layer(&mut self, y: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Plain => y,
            Self::Rounded(layers) => {
                let levels = layers.next().expect("there are levels for every layer");
                let mut values = values(&y)?;
                levels.round(&mut values);
                Tensor::from_vec(values, y.shape(), y.device())?.to_dtype(y.dtype())?
            }
            Self::Measured(ranges) => {
                ranges.push(Range::of(&values(&y)?));
                y
            }
        })
    }
}

/// All elements in f32, which PyTorch's scales are.
fn values(y: &Tensor) -> Result<Vec<f32>> {
    Ok(y.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}
