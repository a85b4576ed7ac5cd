//! Batch normalisation of channels-last maps, with an optional residual sum and an optional ReLU.
//!
//! In evaluation mode it is `y * scale + shift`, with the arithmetic of the epilogue of a [`Frozen`](crate::Frozen) unit. So a trained
//! network and its frozen copy agree bit for bit.

use crate::elementwise::{column_sums, rows};
use crate::kernel::{Element, Epilogue};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype};
use crate::trace::{Described, Work};
use candle_core::{DType, Result, Tensor, bail};

/// Mean and biased variance of each channel over a batch, in f64.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Biased variance of each channel. The batch is normalised with it.
    pub variance: Vec<f64>,
    /// Values per channel, `n * h * w`.
    pub count: usize,
}

impl BatchStatistics {
    /// The unbiased variance, for the running statistics.
    pub fn unbiased_variance(&self) -> impl Iterator<Item = f64> + '_ {
        let n = self.count as f64;
        self.variance
            .iter()
            .map(move |v| v * n / (n - 1.0).max(1.0))
    }
}

/// The affine form of a batch normalisation in evaluation mode: `scale = gamma / sqrt(var + eps)`, `shift = beta - mean * scale`.
pub(crate) fn affine<T: Element>(
    gamma: &[T],
    beta: &[T],
    mean: &[T],
    variance: &[T],
    eps: f64,
) -> (Vec<T>, Vec<T>) {
    let scale: Vec<T> = gamma
        .iter()
        .zip(variance)
        .map(|(&g, &v)| g / (v + T::of(eps)).root())
        .collect();
    let shift = beta
        .iter()
        .zip(mean)
        .zip(&scale)
        .map(|((&b, &m), &s)| b - m * s)
        .collect();
    (scale, shift)
}

/// `1 / sqrt(variance + eps)`.
#[inline(always)]
fn inverse_root<T: Element>(variance: T, eps: f64) -> T {
    T::of(1.0) / (variance + T::of(eps)).root()
}

/// A batch normalisation: `act(norm(x) * gamma + beta + residual)`.
#[derive(Clone, Copy)]
pub struct BatchNorm<'a> {
    /// Scale (c).
    pub gamma: &'a Tensor,
    /// Shift (c).
    pub beta: &'a Tensor,
    /// Added to the variance.
    pub eps: f64,
    /// Added to the result; it has the same shape.
    pub residual: Option<&'a Tensor>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// See [`BatchNorm::eval`], which checks the statistics.
pub(crate) fn eval(
    layer: &BatchNorm<'_>,
    tape: &mut Tape,
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
) -> Result<Tensor> {
    by_dtype!(x.dtype(), T => {
        layer.with::<T>(tape, x, Normaliser {
            mean: mean.to_vec1()?,
            variance: variance.to_vec1()?,
            eps: layer.eps,
            batch: false,
        })
    })
}

/// See [`BatchNorm::train`].
pub(crate) fn train(
    layer: &BatchNorm<'_>,
    tape: &mut Tape,
    x: &Tensor,
) -> Result<(Tensor, BatchStatistics)> {
    let (x, channels) = (x.contiguous()?, x.dim(candle_core::D::Minus1)?);
    by_dtype!(x.dtype(), T => {
        let statistics = measure(View::of(&x).elements::<T>()?, channels);
        let narrow = |values: &[f64]| values.iter().map(|&x| T::of(x)).collect();
        let y = layer.with::<T>(tape, &x, Normaliser {
            mean: narrow(&statistics.mean),
            variance: narrow(&statistics.variance),
            eps: layer.eps,
            batch: true,
        })?;
        Ok((y, statistics))
    })
}

impl BatchNorm<'_> {
    fn with<T: Element>(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        normaliser: Normaliser<T>,
    ) -> Result<Tensor> {
        let channels = x.dim(candle_core::D::Minus1)?;
        for vector in [self.gamma, self.beta] {
            if vector.dims() != [channels] {
                bail!(
                    "batch_norm: {:?} with gamma or beta {:?}",
                    x.shape(),
                    vector.shape()
                );
            }
        }
        if let Some(residual) = self
            .residual
            .filter(|residual| residual.shape() != x.shape())
        {
            bail!(
                "batch_norm: {:?} with residual {:?}",
                x.shape(),
                residual.shape()
            );
        }
        let (x, residual) = (
            x.contiguous()?,
            self.residual.map(Tensor::contiguous).transpose()?,
        );
        let (scale, shift) = affine(
            &self.gamma.to_vec1()?,
            &self.beta.to_vec1()?,
            &normaliser.mean,
            &normaliser.variance,
            self.eps,
        );
        let epilogue = Epilogue {
            scale: Some(&scale),
            shift: Some(&shift),
            relu: self.relu,
            ..Epilogue::default()
        };
        let y = normalised(&x, residual.as_ref(), channels, epilogue)?;
        let inputs: Vec<&Tensor> = [&x, self.gamma, self.beta]
            .into_iter()
            .chain(&residual)
            .collect();
        Ok(tape.note(normaliser, &inputs, y, self.relu))
    }
}

/// `epilogue` on every pixel of `x`, with a residual.
pub(crate) fn normalised<T: Element>(
    x: &Tensor,
    residual: Option<&Tensor>,
    channels: usize,
    epilogue: Epilogue<'_, T>,
) -> Result<Tensor> {
    let (xs, residual) = (View::of(x), residual.map(View::of));
    let elements = xs.elements::<T>()?;
    let y = match residual.as_ref().map(View::elements::<T>).transpose()? {
        None => rows(
            elements,
            [],
            channels,
            #[inline(always)]
            |y, []| epilogue.apply(y, 0, 0),
        ),
        Some(residual) => rows(
            elements,
            [residual],
            channels,
            #[inline(always)]
            |y, [residual]| {
                let residual = Some(residual);
                Epilogue {
                    residual,
                    ..epilogue
                }
                .apply(y, 0, 0);
            },
        ),
    };
    Tensor::from_vec(y, x.shape(), x.device())
}

/// The statistics of a batch normalisation, on the tape.
struct Normaliser<T> {
    mean: Vec<T>,
    variance: Vec<T>,
    eps: f64,
    /// Whether mean and variance belong to the batch. If so, they depend on every pixel.
    batch: bool,
}

impl<T: Element> Operation for Normaliser<T> {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let [x, gamma, beta, residual @ ..] = inputs else {
            bail!("a batch normalisation has three inputs, and a residual");
        };
        if x.dtype() != DType::F32 || (self.batch && !gamma.is_variable()) {
            return Ok(None);
        }
        let narrow = |values: &[T]| values.iter().map(|x| x.wide() as f32).collect::<Vec<f32>>();
        let (mean, variance) = (narrow(&self.mean), narrow(&self.variance));
        let maps = [0].into_iter().chain(3..3 + residual.len()).collect();
        if gamma.is_variable() {
            let work = Work::BatchNorm {
                eps: self.eps,
                running: (!self.batch).then_some([mean, variance]),
            };
            return Ok(Some(Described {
                maps,
                parameters: vec![1, 2],
                ..Described::new(work)
            }));
        }
        let gamma = gamma.to_vec1::<f32>()?;
        let (scale, shift) = affine(&gamma, &beta.to_vec1()?, &mean, &variance, self.eps);
        let inverse = variance.iter().map(|&v| inverse_root(v, self.eps));
        let back = gamma.iter().zip(inverse).map(|(&g, i)| g * i).collect();
        Ok(Some(Described {
            maps,
            ..Described::new(Work::Affine { scale, shift, back })
        }))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [x, gamma, beta, residual @ ..] = inputs else {
            bail!("a batch normalisation has three inputs, and a residual");
        };
        for residual in residual {
            if grads.wants(residual) {
                grads.add(residual, grad.clone())?;
            }
        }
        let channels = gamma.dim(0)?;
        let (xs, gs) = (View::of(x), View::of(&grad));
        let (x_, g_) = (xs.elements::<T>()?, gs.elements::<T>()?);
        let mean = &self.mean[..channels];
        let inverse: Vec<T> = self
            .variance
            .iter()
            .map(|&v| inverse_root(v, self.eps))
            .collect();
        let wanted = (self.batch && grads.wants(x)) || grads.wants(gamma) || grads.wants(beta);
        // Sums of g and of g * (x - mean), per channel.
        let [sum_g, sum_gx] = if wanted {
            column_sums(
                [x_, g_],
                channels,
                #[inline(always)]
                |[x, g], [sums, products]| {
                    for j in 0..channels {
                        sums[j] += g[j];
                        products[j] += g[j] * (x[j] - mean[j]);
                    }
                },
            )
        } else {
            [Vec::new(), Vec::new()]
        };
        if grads.wants(x) {
            let scale: Vec<T> = gamma
                .to_vec1::<T>()?
                .iter()
                .zip(&inverse)
                .map(|(&g, &i)| g * i)
                .collect();
            let scale = &scale[..channels];
            let dx = if self.batch {
                // dx = scale * (g - mean(g) - (x - mean) * inverse^2 * mean(g * (x - mean)))
                let m = (x_.len() / channels) as f64;
                let mean_g: Vec<T> = sum_g.iter().map(|&s| T::of(s / m)).collect();
                let slope: Vec<T> = sum_gx
                    .iter()
                    .zip(&inverse)
                    .map(|(&s, &i)| T::of(s / m * i.wide() * i.wide()))
                    .collect();
                let (mean_g, slope) = (&mean_g[..channels], &slope[..channels]);
                rows(
                    g_,
                    [x_],
                    channels,
                    #[inline(always)]
                    |g, [x]| {
                        let (g, x) = (&mut g[..channels], &x[..channels]);
                        for j in 0..channels {
                            g[j] = scale[j] * (g[j] - mean_g[j] - (x[j] - mean[j]) * slope[j]);
                        }
                    },
                )
            } else {
                rows(
                    g_,
                    [],
                    channels,
                    #[inline(always)]
                    |g, []| {
                        for (g, &scale) in g.iter_mut().zip(scale) {
                            *g *= scale;
                        }
                    },
                )
            };
            grads.add(x, Tensor::from_vec(dx, x.shape(), x.device())?)?;
        }
        let vector = |v: Vec<T>| Tensor::from_vec(v, channels, x.device());
        if grads.wants(gamma) {
            let dgamma = sum_gx
                .iter()
                .zip(&inverse)
                .map(|(&s, &i)| T::of(s * i.wide()))
                .collect();
            grads.add(gamma, vector(dgamma)?)?;
        }
        if grads.wants(beta) {
            grads.add(beta, vector(sum_g.iter().map(|&s| T::of(s)).collect())?)?;
        }
        Ok(())
    }
}

fn measure<T: Element>(x: &[T], channels: usize) -> BatchStatistics {
    let count = x.len() / channels;
    let n = count as f64;
    let [sum] = column_sums(
        [x],
        channels,
        #[inline(always)]
        |[x], [sums]| {
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum += x;
            }
        },
    );
    let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
    let narrow: Vec<T> = mean.iter().map(|&m| T::of(m)).collect();
    // Shifted by the mean, so that the squares do not cancel.
    let [deviation, square] = column_sums(
        [x],
        channels,
        #[inline(always)]
        |[x], [sums, squares]| {
            let narrow = &narrow[..channels];
            for j in 0..channels {
                let d = x[j] - narrow[j];
                sums[j] += d;
                squares[j] += d * d;
            }
        },
    );
    let variance = deviation
        .iter()
        .zip(&square)
        .map(|(d, s)| (s / n - (d / n) * (d / n)).max(0.0))
        .collect();
    BatchStatistics {
        mean,
        variance,
        count,
    }
}
