//! Top-1 labels and accuracy.

use crate::error::{Error, Result};
use crate::network::Network;
use brink_data::Split;
use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

/// The number of hits out of some images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Images whose top-1 label is right.
    pub hits: usize,
    /// All images.
    pub of: usize,
}

impl Count {
    /// The share, in `[0, 1]`.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }
}

/// Images per batch: a multiple of the kernels' tile, since the last maps of a ResNet may have one pixel per image.
const BATCH: usize = 240;

/// The top-1 label of each row of `logits (n, classes)`.
///
/// # Errors
/// If `logits` is not a matrix, or [`Error::NotFinite`] if a logit is NaN: then there is no label.
pub fn top1(logits: &Tensor) -> Result<Vec<u32>> {
    // candle's argmax ignores NaN.
    let rows: Vec<Vec<f64>> = logits.to_dtype(DType::F64)?.to_vec2()?;
    if rows.iter().flatten().any(|logit| logit.is_nan()) {
        return Err(Error::NotFinite {
            what: "a logit".to_owned(),
            value: f32::NAN,
        });
    }
    Ok(logits.argmax(D::Minus1)?.to_vec1()?)
}

/// Top-1 accuracy on the images `indices` of `split`.
///
/// Each thread has its own share of the images: one computes while another waits. On a GPU there is one share.
///
/// # Errors
/// If the images do not fit the network.
pub fn accuracy(network: &Network, split: &Split, indices: &[usize]) -> Result<Count> {
    let threads = match network.is_on_gpu() {
        true => 1,
        false => rayon::current_num_threads(),
    };
    let share = indices.len().div_ceil(threads).max(1);
    let hits = indices
        .par_chunks(share)
        .map(|share| hits(network, split, share))
        .try_reduce(|| 0, |a, b| Ok(a + b))?;
    Ok(Count {
        hits,
        of: indices.len(),
    })
}

/// The number of images among `indices` whose top-1 label is right.
fn hits(network: &Network, split: &Split, indices: &[usize]) -> Result<usize> {
    let [c, h, w] = split.shape();
    let mut hits = 0;
    for batch in indices.chunks(BATCH) {
        let images = Tensor::from_vec(
            split.images(batch),
            (batch.len(), c, h, w),
            network.device(),
        )?
        .to_dtype(network.dtype())?;
        let labels = top1(&network.logits(&images)?)?;
        hits += labels
            .iter()
            .zip(split.labels(batch))
            .filter(|(a, b)| **a == *b)
            .count();
    }
    Ok(hits)
}
