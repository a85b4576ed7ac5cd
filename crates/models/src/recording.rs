//! Recorded forward passes: what a gradient walks back, to the images of a frozen network or to the parameters of one that learns.

use crate::{Coverage, Result};
use candle_core::{DType, Tensor};
use ops::{Gradients, Tape};
use rayon::prelude::*;

/// The fewest images of a strand.
const IMAGES: usize = 8;

/// In how many strands `n` images go through a frozen network: one computes where another waits. No result depends on it.
pub(crate) fn strands(n: usize) -> usize {
    rayon::current_num_threads().min(n / IMAGES).max(1)
}

/// A forward pass of a [`Network`](crate::Network) that can be walked back to its images.
pub struct Recording {
    logits: Tensor,
    coverage: Option<Coverage>,
    strands: Vec<Strand>,
}

/// A forward pass of a [`Trainable`](crate::Trainable) that can be walked back to its parameters.
pub struct Forward {
    /// On the tape.
    pub(crate) logits: Tensor,
    pub(crate) tape: Tape,
}

/// The pass of some of the images.
pub(crate) struct Strand {
    pub images: Tensor,
    pub logits: Tensor,
    /// The activation term of each layer, `(n)`, if it was asked for.
    pub terms: Vec<Tensor>,
    pub tape: Tape,
}

impl Recording {
    pub(crate) fn new(strands: Vec<Strand>, coverage: Option<Coverage>) -> Result<Self> {
        let logits = match &strands[..] {
            [one] => one.logits.detach(),
            all => {
                let logits: Vec<&Tensor> = all.iter().map(|strand| &strand.logits).collect();
                Tensor::cat(&logits, 0)?.detach()
            }
        };
        Ok(Self {
            logits,
            coverage,
            strands,
        })
    }

    /// Logits `(n, classes)`, as constants.
    pub fn logits(&self) -> Tensor {
        self.logits.clone()
    }

    /// The activation term of each image, if it was asked for: a sum in f64 over the layers' terms.
    ///
    /// # Errors
    /// If a term cannot be read.
    pub fn covered(&self) -> Result<Option<Vec<f64>>> {
        if self.coverage.is_none() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for strand in &self.strands {
            let mut sums = vec![0.0; strand.images.dim(0)?];
            for term in &strand.terms {
                let values = term.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            all.extend(sums);
        }
        Ok(Some(all))
    }

    /// The gradient of the images, from that of the logits and that of each image's activation term, which is nothing where the term is a
    /// plain number. It is all zeros behind rounded activations, where nothing comes back.
    ///
    /// # Errors
    /// If `grad` has not the shape of the logits.
    pub fn input_gradient(&self, grad: Tensor, covered: f64) -> Result<Tensor> {
        require_shape(&grad, &self.logits)?;
        let (mut parts, mut at) = (Vec::with_capacity(self.strands.len()), 0);
        for strand in &self.strands {
            let n = strand.images.dim(0)?;
            parts.push((strand, grad.narrow(0, at, n)?));
            at += n;
        }
        let covered = self.coverage.zip(Some(covered));
        let each = parts
            .into_par_iter()
            .map(|(strand, grad)| strand.input_gradient(grad, covered))
            .collect::<Result<Vec<_>>>()?;
        match &each[..] {
            [one] => Ok(one.clone()),
            all => Ok(Tensor::cat(all, 0)?),
        }
    }
}

impl Forward {
    /// Logits `(n, classes)`, as constants.
    pub fn logits(&self) -> Tensor {
        self.logits.detach()
    }

    /// The gradients of the parameters, and of the images if those are a variable, from `grad`, that of the logits.
    ///
    /// # Errors
    /// If `grad` has not the shape of the logits.
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
    let problem = format!("a gradient of shape {grad:?} is none of logits of {logits:?}");
    Err(candle_core::Error::Msg(problem).into())
}

impl Strand {
    fn input_gradient(&self, grad: Tensor, covered: Option<(Coverage, f64)>) -> Result<Tensor> {
        let mut ends = vec![(&self.logits, grad)];
        if let Some((Coverage::Attached | Coverage::Hidden, weight)) = covered {
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
