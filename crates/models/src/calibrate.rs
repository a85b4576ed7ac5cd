//! The ranges of a network's activations over some images.

use crate::error::Result;
use crate::levels::Range;
use crate::network::Network;
use brink_data::Split;
use candle_core::Tensor;

/// Images per batch.
const BATCH: usize = 125;

/// The range of each layer's outputs over the images `indices` of `split`, in the order of the forward pass.
///
/// # Errors
/// If the images do not fit the network.
pub fn calibrate(network: &Network, split: &Split, indices: &[usize]) -> Result<Vec<Range>> {
    let [c, h, w] = split.shape();
    let mut all: Vec<Range> = Vec::new();
    for batch in indices.chunks(BATCH) {
        let images = Tensor::from_vec(
            split.images(batch),
            (batch.len(), c, h, w),
            network.device(),
        )?
        .to_dtype(network.dtype())?;
        let ranges = network.ranges(&images)?;
        all.resize(ranges.len(), Range::NOTHING);
        for (range, new) in all.iter_mut().zip(ranges) {
            *range = range.with(new);
        }
    }
    Ok(all)
}
