//! Recorded forward passes, for the gradient of the images of a frozen network or of the parameters of a trainable one.

use crate::coverage::Coverage;
use crate::error::Result;
use brink_cuda::Pass;
use brink_ops::{Gradients, Tape};
use candle_core::{DType, Device, Shape, Tensor};
use rayon::prelude::*;

/// The smallest number of images in a shard.
const IMAGES: usize = 8;

/// The number of shards for `n` images of a frozen network: one shard computes while another waits. No result depends on it.
pub(crate) fn shards(n: usize) -> usize {
    rayon::current_num_threads().min(n / IMAGES).max(1)
}

/// A forward pass of a [`Network`](crate::Network), recorded for the gradient of its images.
pub struct Recording {
    logits: Tensor,
    coverage: Option<Coverage>,
    way: Way,
}

/// The way back.
enum Way {
    Shards(Vec<BatchShard>),
    Gpu(OnGpu),
}

/// A pass on a GPU. Its ends are the logits and the terms of the layers.
pub(crate) struct OnGpu {
    pub pass: Pass,
    /// The shape of the images.
    pub shape: Shape,
}

/// A forward pass of a [`Trainable`](crate::Trainable), recorded for the gradients of its parameters.
pub struct Forward {
    /// The logits, on the tape.
    pub(crate) logits: Tensor,
    pub(crate) tape: Tape,
}

/// The recorded pass of a part of the batch.
pub(crate) struct BatchShard {
    pub images: Tensor,
    pub logits: Tensor,
    /// The activation term of each layer, `(n)`, if the pass collects it.
    pub terms: Vec<Tensor>,
    pub tape: Tape,
}

impl Recording {
    pub(crate) fn new(shards: Vec<BatchShard>, coverage: Option<Coverage>) -> Result<Self> {
        let logits = match &shards[..] {
            [one] => one.logits.detach(),
            all => {
                let logits: Vec<&Tensor> = all.iter().map(|shard| &shard.logits).collect();
                Tensor::cat(&logits, 0)?.detach()
            }
        };
        Ok(Self {
            logits,
            coverage,
            way: Way::Shards(shards),
        })
    }

    pub(crate) fn on_gpu(
        recorded: OnGpu,
        classes: usize,
        coverage: Option<Coverage>,
    ) -> Result<Self> {
        let logits = recorded.pass.ends()[0].clone();
        let shape = (logits.len() / classes, classes);
        Ok(Self {
            logits: Tensor::from_vec(logits, shape, &Device::Cpu)?,
            coverage,
            way: Way::Gpu(recorded),
        })
    }

    /// Logits `(n, classes)`, as constants.
    pub fn logits(&self) -> Tensor {
        self.logits.clone()
    }

    /// The activation term of each image, if the pass collects it: the sum of the layers' terms in f64.
    ///
    /// # Errors
    /// If a term cannot be read.
    pub fn coverage(&self) -> Result<Option<Vec<f64>>> {
        if self.coverage.is_none() {
            return Ok(None);
        }
        let shards = match &self.way {
            Way::Shards(shards) => shards,
            Way::Gpu(recorded) => {
                let mut sums = vec![0.0; self.logits.dim(0)?];
                for term in &recorded.pass.ends()[1..] {
                    for (sum, &value) in sums.iter_mut().zip(term) {
                        *sum += f64::from(value);
                    }
                }
                return Ok(Some(sums));
            }
        };
        let mut all = Vec::new();
        for shard in shards {
            let mut sums = vec![0.0; shard.images.dim(0)?];
            for term in &shard.terms {
                let values = term.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            all.extend(sums);
        }
        Ok(Some(all))
    }

    /// The gradient of the images, from the gradient `grad` of the logits and the gradient `coverage` of each image's activation term.
    ///
    /// A detached term has no gradient. With rounded activations, the gradient of the images is 0.
    ///
    /// # Errors
    /// If `grad` and the logits differ in shape.
    pub fn input_gradient(&self, grad: Tensor, coverage: f64) -> Result<Tensor> {
        require_shape(&grad, &self.logits)?;
        let shards = match &self.way {
            Way::Shards(shards) => shards,
            Way::Gpu(recorded) => {
                return recorded.input_gradient(&grad, self.coverage.zip(Some(coverage)));
            }
        };
        let (mut parts, mut at) = (Vec::with_capacity(shards.len()), 0);
        for shard in shards {
            let n = shard.images.dim(0)?;
            parts.push((shard, grad.narrow(0, at, n)?));
            at += n;
        }
        let coverage = self.coverage.zip(Some(coverage));
        let each = parts
            .into_par_iter()
            .map(|(shard, grad)| shard.input_gradient(grad, coverage))
            .collect::<Result<Vec<_>>>()?;
        match &each[..] {
            [one] => Ok(one.clone()),
            all => Ok(Tensor::cat(all, 0)?),
        }
    }
}

impl OnGpu {
    fn input_gradient(&self, grad: &Tensor, coverage: Option<(Coverage, f64)>) -> Result<Tensor> {
        let mut grads = vec![Some(grad.flatten_all()?.to_vec1()?)];
        for term in &self.pass.ends()[1..] {
            grads.push(match coverage {
                Some((Coverage::Attached | Coverage::Hidden, weight)) => {
                    Some(vec![weight as f32; term.len()])
                }
                _ => None,
            });
        }
        let grad = self.pass.backward(&grads)?;
        Ok(Tensor::from_vec(grad, self.shape.clone(), &Device::Cpu)?)
    }
}

impl Forward {
    /// Logits `(n, classes)`, as constants.
    pub fn logits(&self) -> Tensor {
        self.logits.detach()
    }

    /// The gradients of the parameters, and of the images if they are a variable, from the gradient `grad` of the logits.
    ///
    /// # Errors
    /// If `grad` and the logits differ in shape.
    pub fn backward(&self, grad: Tensor) -> Result<Gradients> {
        require_shape(&grad, &self.logits)?;
        Ok(self.tape.backward([(&self.logits, grad)])?)
    }
}

fn require_shape(grad: &Tensor, logits: &Tensor) -> Result<()> {
    if grad.shape() == logits.shape() {
        return Ok(());
    }
    let (grad, logits) = (grad.shape(), logits.shape());
    let problem = format!("a gradient of shape {grad:?} does not fit logits of shape {logits:?}");
    Err(candle_core::Error::Msg(problem).into())
}

impl BatchShard {
    fn input_gradient(&self, grad: Tensor, coverage: Option<(Coverage, f64)>) -> Result<Tensor> {
        let mut ends = vec![(&self.logits, grad)];
        if let Some((Coverage::Attached | Coverage::Hidden, weight)) = coverage {
            for term in &self.terms {
                ends.push((term, (term.ones_like()? * weight)?));
            }
        }
        let grads = self.tape.backward(ends)?;
        Ok(match grads.get(&self.images) {
            Some(grad) => grad.clone(),
            None => self.images.zeros_like()?,
        })
    }
}
