//! Batch normalisation of channels-last maps, with the ReLU that follows it where there is one.
//!
//! In evaluation mode it is `y * scale + shift`, the same arithmetic as the epilogue of a
//! [`Frozen`](crate::Frozen) unit: a trained network and its frozen copy agree bit for bit.

use crate::activation::{masked, relu_of};
use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// Mean and biased variance of each channel over a batch, in f64.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Biased variance of each channel: what the batch was normalised with.
    pub variance: Vec<f64>,
    /// Values per channel, `n * h * w`.
    pub count: usize,
}

impl BatchStatistics {
    /// The unbiased variance, which goes into the running statistics.
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

/// Normalises `x (n, h, w, c)` with running statistics `mean` and `variance` (c), scales by `gamma` and shifts by `beta` (c).
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
    relu: bool,
) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return crate::portable::batch_norm(x, gamma, beta, mean, variance, eps, relu);
    }
    let statistics = Statistics::Running {
        mean: mean.detach(),
        variance: variance.detach(),
    };
    x.contiguous()?.apply_op3(
        gamma,
        beta,
        BatchNorm {
            statistics,
            eps,
            relu,
        },
    )
}

/// Normalises `x (n, h, w, c)` with its own mean and biased variance, which it returns for the running statistics.
///
/// # Errors
/// If the shapes do not fit or the type is neither f32 nor f64.
pub fn batch_norm_train(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
    relu: bool,
) -> Result<(Tensor, BatchStatistics)> {
    if !x.device().is_cpu() {
        return crate::portable::batch_norm_train(x, gamma, beta, eps, relu);
    }
    let x = x.contiguous()?;
    let channels = x.dim(candle_core::D::Minus1)?;
    let statistics = by_dtype!(x.dtype(), T => measure(View::of(&x).elements::<T>()?, channels));
    let y = x.apply_op3(
        gamma,
        beta,
        BatchNorm {
            statistics: Statistics::Batch(statistics.clone()),
            eps,
            relu,
        },
    )?;
    Ok((y, statistics))
}

enum Statistics {
    Running { mean: Tensor, variance: Tensor },
    Batch(BatchStatistics),
}

impl Statistics {
    fn of<T: Element>(&self) -> Result<(Vec<T>, Vec<T>)> {
        match self {
            Self::Running { mean, variance } => Ok((mean.to_vec1()?, variance.to_vec1()?)),
            Self::Batch(batch) => {
                let narrow = |values: &[f64]| values.iter().map(|&x| T::of(x)).collect();
                Ok((narrow(&batch.mean), narrow(&batch.variance)))
            }
        }
    }
}

struct BatchNorm {
    statistics: Statistics,
    eps: f64,
    relu: bool,
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gamma: &CpuStorage,
        lg: &Layout,
        beta: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let channels = lx.dims().last().copied().unwrap_or(0);
        if lg.dims() != [channels] || lb.dims() != [channels] {
            bail!(
                "batch_norm: {:?} with gamma {:?} and beta {:?}",
                lx.shape(),
                lg.shape(),
                lb.shape()
            );
        }
        by_dtype!(x.dtype(), T => {
            let (mean, variance) = self.statistics.of::<T>()?;
            let (scale, shift) = affine(elements::<T>(gamma, lg)?, elements(beta, lb)?, &mean, &variance, self.eps);
            let relu = self.relu;
            let y = rows(elements::<T>(x, lx)?, channels, |x, y| {
                let (x, scale, shift) = (&x[..channels], &scale[..channels], &shift[..channels]);
                for j in 0..channels {
                    let value = x[j] * scale[j] + shift[j];
                    y[j] = if relu { relu_of(value) } else { value };
                }
            });
            result(y, lx.shape())
        })
    }

    #[allow(clippy::type_complexity)]
    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = if self.relu {
            masked(y, grad)?
        } else {
            grad.contiguous()?
        };
        let channels = gamma.dim(0)?;
        by_dtype!(x.dtype(), T => {
            let (xs, gs, gammas) = (View::of(x), View::of(&grad), View::of(gamma));
            let (x_, g_, gamma_) = (xs.elements::<T>()?, gs.elements::<T>()?, gammas.elements::<T>()?);
            let (mean, variance) = self.statistics.of::<T>()?;
            let inverse: Vec<T> = variance.iter().map(|&v| T::of(1.0) / (v + T::of(self.eps)).root()).collect();
            let batch = matches!(self.statistics, Statistics::Batch(_));
            let wanted = batch || gamma.track_op() || beta.track_op();
            // Sums of g and of g * (x - mean), per channel.
            let [sum_g, sum_gx] = if wanted {
                column_sums(x_, g_, channels, |x, g, sums, products| {
                    let mean = &mean[..channels];
                    for j in 0..channels {
                        sums[j] += g[j];
                        products[j] += g[j] * (x[j] - mean[j]);
                    }
                })
            } else {
                [Vec::new(), Vec::new()]
            };
            let dgamma: Option<Vec<T>> = gamma.track_op()
                .then(|| sum_gx.iter().zip(&inverse).map(|(&s, &i)| T::of(s * i.wide())).collect());
            let dbeta: Option<Vec<T>> = beta.track_op().then(|| sum_g.iter().map(|&s| T::of(s)).collect());
            let dx = x.track_op().then(|| {
                let scale: Vec<T> = gamma_.iter().zip(&inverse).map(|(&g, &i)| g * i).collect();
                let dx = if batch {
                    // dx = scale * (g - mean(g) - (x - mean) * inverse^2 * mean(g * (x - mean)))
                    let m = (x_.len() / channels) as f64;
                    let mean_g: Vec<T> = sum_g.iter().map(|&s| T::of(s / m)).collect();
                    let slope: Vec<T> = sum_gx.iter().zip(&inverse).map(|(&s, &i)| T::of(s / m * i.wide() * i.wide())).collect();
                    rows2(x_, g_, channels, |x, g, dx| {
                        let (x, g, dx) = (&x[..channels], &g[..channels], &mut dx[..channels]);
                        let (scale, mean, mean_g, slope) =
                            (&scale[..channels], &mean[..channels], &mean_g[..channels], &slope[..channels]);
                        for j in 0..channels {
                            dx[j] = scale[j] * (g[j] - mean_g[j] - (x[j] - mean[j]) * slope[j]);
                        }
                    })
                } else {
                    rows(g_, channels, |g, dx| {
                        for j in 0..channels {
                            dx[j] = scale[j] * g[j];
                        }
                    })
                };
                Tensor::from_vec(dx, x.shape(), x.device())
            });
            let vector = |v: Vec<T>| Tensor::from_vec(v, channels, x.device());
            Ok((dx.transpose()?, dgamma.map(vector).transpose()?, dbeta.map(vector).transpose()?))
        })
    }
}

/// Rows summed by one task; fixed, so that a sum does not depend on the number of threads.
const BLOCK: usize = 512;

/// Maps rows of `channels` elements.
pub(crate) fn rows<T: Element>(
    x: &[T],
    channels: usize,
    f: impl Fn(&[T], &mut [T]) + Sync,
) -> Vec<T> {
    rows2(x, x, channels, |x, _, y| f(x, y))
}

/// Maps rows of two tensors to rows of a third.
fn rows2<T: Element>(
    a: &[T],
    b: &[T],
    channels: usize,
    f: impl Fn(&[T], &[T], &mut [T]) + Sync,
) -> Vec<T> {
    let mut out = vec![T::ZERO; a.len()];
    let shared = Shared::new(&mut out);
    let step = BLOCK * channels;
    for_each(a.len().div_ceil(step), |task| {
        let start = task * step;
        let len = step.min(a.len() - start);
        // SAFETY: each task writes its own block of rows.
        let out = unsafe { shared.slice(start, len) };
        let (a, b) = (&a[start..start + len], &b[start..start + len]);
        for ((a, b), out) in a
            .chunks_exact(channels)
            .zip(b.chunks_exact(channels))
            .zip(out.chunks_exact_mut(channels))
        {
            f(a, b, out);
        }
    });
    out
}

/// Rows summed in `T`; a longer sum is in f64. A gradient that is the same all over a map would else gather a rounding error
/// of one sign, which the convolution before the normalisation sums up over all its inputs.
const RUN: usize = 16;

/// Two sums per channel over all rows, which `add` adds a row at a time. All four slices of `add` are `channels` long.
fn column_sums<T: Element>(
    x: &[T],
    g: &[T],
    channels: usize,
    add: impl Fn(&[T], &[T], &mut [T], &mut [T]) + Sync,
) -> [Vec<f64>; 2] {
    let step = BLOCK * channels;
    let blocks = x.len().div_ceil(step);
    let mut partial = vec![0.0; blocks * 2 * channels];
    let shared = Shared::new(&mut partial);
    for_each(blocks, |task| {
        let range = task * step..((task + 1) * step).min(x.len());
        // SAFETY: each task writes its own sums.
        let block = unsafe { shared.slice(task * 2 * channels, 2 * channels) };
        let mut run = vec![T::ZERO; 2 * channels];
        for (x, g) in x[range.clone()]
            .chunks(RUN * channels)
            .zip(g[range].chunks(RUN * channels))
        {
            run.fill(T::ZERO);
            let (first, second) = run.split_at_mut(channels);
            for (x, g) in x.chunks_exact(channels).zip(g.chunks_exact(channels)) {
                add(
                    &x[..channels],
                    &g[..channels],
                    &mut first[..channels],
                    &mut second[..channels],
                );
            }
            for (sum, &part) in block.iter_mut().zip(&run) {
                *sum += part.wide();
            }
        }
    });
    let mut sums = [vec![0.0; channels], vec![0.0; channels]];
    for block in partial.chunks_exact(2 * channels) {
        for (sum, part) in sums.iter_mut().zip(block.chunks_exact(channels)) {
            for (s, &p) in sum.iter_mut().zip(part) {
                *s += p;
            }
        }
    }
    sums
}

fn measure<T: Element>(x: &[T], channels: usize) -> BatchStatistics {
    let count = x.len() / channels;
    let n = count as f64;
    let [sum, _] = column_sums(x, x, channels, |x, _, sums, _| {
        for j in 0..channels {
            sums[j] += x[j];
        }
    });
    let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
    let narrow: Vec<T> = mean.iter().map(|&m| T::of(m)).collect();
    // Shifted by the mean, so that the squares do not cancel.
    let [deviation, square] = column_sums(x, x, channels, |x, _, sums, squares| {
        let narrow = &narrow[..channels];
        for j in 0..channels {
            let d = x[j] - narrow[j];
            sums[j] += d;
            squares[j] += d * d;
        }
    });
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
