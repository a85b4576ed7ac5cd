//! Test networks with every kind of step: a frozen one here, and one in training. A GPU that does not compute the CPU's bits for them is not
//! used.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::program::{Program, Weights};
use crate::training_check;
use brink_ops::{BatchNorm, Frozen, FrozenPooledLinear, Reduction, Tape, Window};
use candle_core::{Device, Result as Computed, Shape, Tensor};
use std::sync::Arc;

/// Images of the check, and their size. Odd sizes have every kind of edge.
pub(crate) const IMAGES: usize = 5;
pub(crate) const SIZE: usize = 21;

/// Compares the GPU's bits with the CPU's: logits, activation terms and the gradient of the images; and parameters in training.
///
/// # Errors
/// [`Error::OtherBits`] if one differs; or if the GPU fails.
pub fn check(gpu: &Arc<Gpu>) -> Result<()> {
    frozen(gpu)?;
    training_check::check(gpu)
}

/// Records what `forward` makes of `images`.
pub(crate) fn recorded<T>(
    images: &Tensor,
    forward: impl FnOnce(&mut Tape, &Tensor) -> Computed<T>,
) -> Computed<(Tape, T)> {
    let mut tape = Tape::recording();
    tape.watch(images);
    let made = forward(&mut tape, images)?;
    Ok((tape, made))
}

fn frozen(gpu: &Arc<Gpu>) -> Result<()> {
    let network = Network::new()?;
    let mut draw = Draw(7);
    let images = draw.tensor((IMAGES, 3, SIZE, SIZE), 1.0)?;
    let recorded = |images: &Tensor| recorded(images, |tape, x| network.forward(tape, x));

    // The CPU's way.
    let (tape, ends) = recorded(&images)?;
    let grads: Vec<Tensor> = ends
        .iter()
        .map(|end| draw.tensor(end.shape().clone(), 1.0))
        .collect::<Computed<_>>()?;
    let walked = tape.backward(ends.iter().zip(grads.clone()))?;
    let gradient = walked.get(&images).map(values).transpose()?;
    let gradient = gradient.unwrap_or_default();

    // The GPU's.
    let first = images.narrow(0, 0, 1)?.contiguous()?;
    let (tape, ends_of_first) = recorded(&first)?;
    let ends_of_first: Vec<&Tensor> = ends_of_first.iter().collect();
    let trace = tape.trace(&first, &[], &ends_of_first)?;
    let trace = trace.ok_or(Error::TooLarge {
        what: "the test network",
    })?;
    let weights = Weights::new(gpu.clone());
    let program = Arc::new(Program::new(&weights, trace, true)?);
    let pass = program.record(values(&images)?, IMAGES)?;
    for (end, found) in ends.iter().zip(pass.ends()) {
        same("outputs", &values(end)?, found)?;
    }
    let grads = grads.iter().map(|grad| values(grad).map(Some));
    let found = pass.backward(&grads.collect::<Computed<Vec<_>>>()?)?;
    same("gradients", &gradient, &found)
}

pub(crate) fn values(tensor: &Tensor) -> Computed<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

pub(crate) fn same(what: &'static str, wanted: &[f32], found: &[f32]) -> Result<()> {
    let pairs = wanted.iter().zip(found);
    let differing = pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count()
        + wanted.len().abs_diff(found.len());
    let of = wanted.len();
    match differing {
        0 if of > 0 => Ok(()),
        _ => Err(Error::OtherBits {
            what,
            differing,
            of,
        }),
    }
}

/// Numbers that are the same everywhere.
pub(crate) struct Draw(pub u64);

impl Draw {
    /// Numbers of a shape, up to `size` from 0 on either side.
    pub fn tensor(&mut self, shape: impl Into<Shape>, size: f32) -> Computed<Tensor> {
        let shape = shape.into();
        let mut next = || {
            self.0 = self
                .0
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0) * size
        };
        let values: Vec<f32> = (0..shape.elem_count()).map(|_| next()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    /// The vectors of a normalisation: scale, shift, mean and variance.
    fn normalisation(&mut self, channels: usize) -> Computed<[Tensor; 4]> {
        Ok([
            (self.tensor(channels, 0.5)? + 1.0)?,
            self.tensor(channels, 0.5)?,
            self.tensor(channels, 0.5)?,
            (self.tensor(channels, 0.5)? + 1.0)?,
        ])
    }
}

/// The network.
struct Network {
    mean: Tensor,
    std: Tensor,
    stem: Frozen,
    wide: Frozen,
    residual: Frozen,
    depthwise: Tensor,
    vectors: [Tensor; 4],
    point: Frozen,
    pooled: FrozenPooledLinear,
    last: Frozen,
}

pub(crate) const EPS: f64 = 1e-5;

impl Network {
    fn new() -> Computed<Self> {
        let mut draw = Draw(1);
        let mut unit = |(c, o, kernel, stride, padding): (usize, usize, usize, usize, usize)| {
            let weight = draw.tensor((o, c, kernel, kernel), 0.3)?;
            let vectors = draw.normalisation(o)?;
            let bias = draw.tensor(o, 0.5)?;
            let window = Window::square(kernel, stride, padding);
            Frozen::conv_bn(&weight, Some(&bias), vectors.each_ref(), EPS, window)
        };
        let (stem, wide) = (unit((3, 20, 3, 1, 1))?, unit((20, 36, 3, 2, 1))?);
        let (residual, point) = (unit((36, 36, 3, 1, 1))?, unit((36, 70, 1, 1, 0))?);
        Ok(Self {
            mean: (draw.tensor(3, 0.1)? + 0.4)?,
            std: (draw.tensor(3, 0.1)? + 0.3)?,
            stem,
            wide,
            residual,
            depthwise: draw.tensor((36, 1, 3, 3), 0.5)?,
            vectors: draw.normalisation(36)?,
            point,
            pooled: FrozenPooledLinear::new(
                &draw.tensor((33, 70 * 49), 0.05)?,
                &draw.tensor(33, 0.5)?,
                (7, 7),
            )?,
            last: Frozen::linear(&draw.tensor((10, 33), 0.3)?, &draw.tensor(10, 0.5)?, (1, 1))?,
        })
    }

    /// Logits and the activation terms of all layers.
    fn forward(&self, tape: &mut Tape, images: &Tensor) -> Computed<Vec<Tensor>> {
        let mut terms = Vec::new();
        let mut noted = |(y, term): (Tensor, Tensor)| {
            terms.push(term);
            y
        };
        let mean = Reduction::Mean;
        let x = brink_ops::channels_last(tape, images)?;
        let x = brink_ops::normalize(tape, &x, &self.mean, &self.std)?;
        let x = noted(self.stem.forward_covered(tape, &x, None, true, mean)?);
        let x = brink_ops::max_pool2d(tape, &x, Window::square(3, 2, 1))?;
        let x = noted(self.wide.forward_covered(tape, &x, None, true, mean)?);
        let y = self.residual.forward(tape, &x, Some(&x), true)?;
        let a = brink_ops::depthwise_conv2d(tape, &y, &self.depthwise, Window::square(3, 2, 1))?;
        let term = brink_ops::negative_part(tape, &a, Reduction::Sum)?;
        let [gamma, beta, average, variance] = &self.vectors;
        let shortcut = brink_ops::option_a_shortcut(tape, &x, 2, 0)?;
        let layer = BatchNorm {
            gamma,
            beta,
            eps: EPS,
            residual: Some(&shortcut),
            relu: false,
        };
        let x = layer.eval(tape, &noted((a, term)), average, variance)?;
        let x = brink_ops::relu6(tape, &x)?;
        let x = noted(self.point.forward_covered(tape, &x, None, true, mean)?);
        // Bins of six pixels: a quotient by six is not a product.
        let x = brink_ops::adaptive_avg_pool2d(tape, &x, (1, 2))?;
        let x = noted(self.pooled.forward_covered(tape, &x, true, mean)?);
        let logits = noted(self.last.forward_covered(tape, &x, None, false, mean)?);
        Ok([logits].into_iter().chain(terms).collect())
    }
}
