//! Fake quantisation as in PyTorch: values are rounded to evenly spaced levels, which follow from a range.
//!
//! Activations are rounded after each layer. A layer is a convolution or a linear layer with its batch normalisation, residual sum
//! and ReLU. The images are not rounded; the logits, the output of the last layer, are.

use brink_config::checked::Bits;

/// Half of the number of values that `bits` can hold.
const fn half(bits: Bits) -> i32 {
    1 << (bits.get() - 1)
}

/// The smallest and the largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The smallest; infinite without values.
    pub low: f32,
    /// The largest; minus infinity without values.
    pub high: f32,
}

impl Range {
    /// The range of no values.
    pub(crate) const NOTHING: Self = Self {
        low: f32::INFINITY,
        high: f32::NEG_INFINITY,
    };

    /// The range of `values`.
    pub fn of(values: &[f32]) -> Self {
        let grown = |range: Self, &value: &f32| {
            range.with(Self {
                low: value,
                high: value,
            })
        };
        values.iter().fold(Self::NOTHING, grown)
    }

    /// The smallest range that holds both ranges.
    pub(crate) fn with(self, other: Self) -> Self {
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

    /// `2^bits` levels from one end of `range` to the other, shifted by less than one level so that 0 is a level. A range on one side of
    /// 0 is extended to 0.
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

    /// The distance between neighbouring levels.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Rounds each value to its nearest level, and a value halfway between two levels to the even one.
    pub fn round(&self, values: &mut [f32]) {
        // As PyTorch does: a product with the inverse, not a quotient.
        let inverse = 1.0 / self.scale;
        let [zero, lowest, highest] = [self.zero, self.lowest, self.highest].map(|q| q as f32);
        for value in values {
            let q = zero + (*value * inverse).round_ties_even();
            *value = (q.clamp(lowest, highest) - zero) * self.scale;
        }
    }
}

/// The distance between levels that divide `width` into `steps`. Any positive distance fits a width of 0.
fn spacing(width: f32, steps: i32) -> f32 {
    (width / steps as f32).max(f32::MIN_POSITIVE)
}

/// Rounds each value to the nearest number with `bits` bits after the leading one, and a value halfway between two to the even one.
///
/// bfloat16 has 7 such bits, the TF32 of tensor cores 10, f32 itself 23. Magnitudes that round beyond the largest number become infinite.
///
/// # Panics
/// If `bits` is 0 or above 23.
pub fn round_mantissa(values: &mut [f32], bits: u32) {
    assert!(
        (1..=23).contains(&bits),
        "{bits} bits after the leading one"
    );
    let cut = 23 - bits;
    if cut == 0 {
        return;
    }
    let half = (1u32 << (cut - 1)) - 1;
    for value in values.iter_mut().filter(|value| value.is_finite()) {
        let word = value.to_bits();
        let even = (word >> cut) & 1;
        *value = f32::from_bits((word + half + even) >> cut << cut);
    }
}

/// How the output of a layer is rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rounding {
    /// To levels of its own.
    Levels(Levels),
    /// To this many bits after the leading one.
    Mantissa(u32),
}

impl Rounding {
    pub fn round(&self, values: &mut [f32]) {
        match self {
            Self::Levels(levels) => levels.round(values),
            Self::Mantissa(bits) => round_mantissa(values, *bits),
        }
    }
}

/// How all layers' outputs are rounded, in the order of the forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations(Vec<Rounding>);

impl Activations {
    /// [Affine](Levels::affine) levels for outputs of these ranges.
    pub fn affine(bits: Bits, ranges: &[Range]) -> Self {
        let levels = ranges.iter().map(|&range| Levels::affine(bits, range));
        Self(levels.map(Rounding::Levels).collect())
    }

    /// `layers` outputs with `bits` bits after the leading one.
    pub fn mantissa(bits: u32, layers: usize) -> Self {
        Self(vec![Rounding::Mantissa(bits); layers])
    }

    /// The levels of each layer that is rounded to levels.
    pub fn levels(&self) -> Vec<Levels> {
        let levels = self.0.iter().filter_map(|rounding| match rounding {
            Rounding::Levels(levels) => Some(*levels),
            Rounding::Mantissa(_) => None,
        });
        levels.collect()
    }

    /// One entry per layer.
    pub(crate) fn layers(&self) -> &[Rounding] {
        &self.0
    }
}
