//! The order in which training sees the images: a fresh permutation every epoch, computable for any epoch alone, so that a
//! resumed training goes on with the very batches that it would have had.

use std::num::NonZeroUsize;

use spec::Stream;

/// The batches of every epoch over `len` images.
#[derive(Clone, Debug)]
pub struct Batches {
    len: usize,
    size: usize,
    stream: Stream,
}

impl Batches {
    /// Batches of `size` images out of `len`, ordered by `stream`, which is not advanced.
    pub fn new(len: usize, size: NonZeroUsize, stream: &Stream) -> Self {
        Self {
            len,
            size: size.get(),
            stream: stream.clone(),
        }
    }

    /// Number of batches in an epoch; the last may be smaller than the others.
    pub fn per_epoch(&self) -> usize {
        self.len.div_ceil(self.size)
    }

    /// The batch of step `step`, counted from 0 over all epochs.
    pub fn step(&self, step: usize) -> Vec<usize> {
        self.epoch(step / self.per_epoch())
            .swap_remove(step % self.per_epoch())
    }

    /// The batches of an epoch, each a list of image indices; together they hold every image once.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        let order = self
            .stream
            .split(&format!("epoch/{epoch}"))
            .permutation(self.len);
        order.chunks(self.size).map(<[usize]>::to_vec).collect()
    }
}
