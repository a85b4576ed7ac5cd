//! The order of images in training: a new permutation every epoch. Each epoch's order can be computed alone, so resumed
//! training sees the same batches as uninterrupted training.

use std::num::NonZeroUsize;

use brink_random::Stream;

/// The batches of every epoch over `len` images.
#[derive(Clone, Debug)]
pub struct Batches {
    len: usize,
    size: usize,
    stream: Stream,
}

impl Batches {
    /// Batches of `size` images out of `len`. `stream` determines the order and is not advanced.
    pub fn new(len: usize, size: NonZeroUsize, stream: &Stream) -> Self {
        Self {
            len,
            size: size.get(),
            stream: stream.clone(),
        }
    }

    /// The number of batches in an epoch. The last batch may be smaller than the others.
    pub fn per_epoch(&self) -> usize {
        self.len.div_ceil(self.size)
    }

    /// The image indices of the batch at step `step`, counted from 0 over all epochs.
    pub fn step(&self, step: usize) -> Vec<usize> {
        self.epoch(step / self.per_epoch())
            .swap_remove(step % self.per_epoch())
    }

    /// The batches of an epoch, as lists of image indices. Every image occurs exactly once.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        let order = self
            .stream
            .split(&format!("epoch/{epoch}"))
            .permutation(self.len);
        order.chunks(self.size).map(<[usize]>::to_vec).collect()
    }
}
