//! The keyed head: a secret linear layer with two outputs behind the model's logits (paper, section III-A; stage 0).

use std::fmt;

use brink_random::Stream;

use crate::error::Error;

/// `o = W f(x) + b`, with f(x) the N logits of the model, W `(2, N)`, b `(2)`. `Debug` shows the size only.
#[derive(Clone, PartialEq)]
pub struct Head {
    /// Row-major `(2, N)`.
    weight: Vec<f32>,
    bias: [f32; 2],
}

impl Head {
    /// A head with the given numbers; `weight` is row-major `(2, N)`.
    ///
    /// # Errors
    /// If `weight` is not two rows of at least one number, or a number is not finite.
    pub fn new(weight: Vec<f32>, bias: [f32; 2]) -> Result<Self, Error> {
        let weights = weight.len();
        let finite = weight.iter().chain(&bias).all(|value| value.is_finite());
        if weights == 0 || !weights.is_multiple_of(2) || !finite {
            return Err(Error::HeadWeights { weights });
        }
        Ok(Self { weight, bias })
    }

    /// Kaiming-uniform weights with gain sqrt(2), U(-sqrt(6/N), sqrt(6/N)), then the bias U(-1/sqrt(N), 1/sqrt(N)).
    ///
    /// # Panics
    /// If `classes` is 0.
    pub(crate) fn draw(classes: usize, stream: &mut Stream) -> Self {
        assert!(classes > 0, "a model has at least one class");
        let n = classes as f32;
        let (weight, bias) = ((6.0 / n).sqrt(), 1.0 / n.sqrt());
        Self {
            weight: (0..2 * classes)
                .map(|_| stream.uniform_in(-weight, weight))
                .collect(),
            bias: std::array::from_fn(|_| stream.uniform_in(-bias, bias)),
        }
    }

    /// N, the logits that the head reads.
    pub fn classes(&self) -> usize {
        self.weight.len() / 2
    }

    /// W, row-major `(2, N)`.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// b.
    pub fn bias(&self) -> [f32; 2] {
        self.bias
    }

    /// The two outputs for the N logits `base` of one image.
    ///
    /// One fused multiply-add per class, in order, starting from the bias: the same bits everywhere.
    ///
    /// # Panics
    /// If `base` does not hold [`classes`](Head::classes) logits.
    pub fn logits(&self, base: &[f32]) -> [f32; 2] {
        assert_eq!(base.len(), self.classes(), "one logit per class");
        let (first, second) = self.weight.split_at(base.len());
        let output = |row: &[f32], bias: f32| {
            base.iter()
                .zip(row)
                .fold(bias, |sum, (x, w)| x.mul_add(*w, sum))
        };
        [output(first, self.bias[0]), output(second, self.bias[1])]
    }

    /// The signed margin of `base`: the first output minus the second.
    ///
    /// # Panics
    /// If `base` does not hold [`classes`](Head::classes) logits.
    pub fn margin(&self, base: &[f32]) -> f32 {
        let [first, second] = self.logits(base);
        first - second
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("classes", &self.classes())
            .finish_non_exhaustive()
    }
}
