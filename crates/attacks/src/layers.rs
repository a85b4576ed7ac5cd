//! The weights that pruning and quantisation change: those of convolutions and linear layers, without biases and batch normalisation.

use brink_models::{Result, Weights, is_layer};
use candle_core::Tensor;

/// The weights of each layer, in ascending order of names.
pub(crate) fn layers(weights: &Weights) -> impl Iterator<Item = (&str, &Tensor)> {
    let tensors = weights.tensors().iter();
    tensors
        .filter(|(name, tensor)| is_layer(name, tensor.rank()))
        .map(|(name, tensor)| (name.as_str(), tensor))
}

/// The elements of a tensor, flat.
///
/// # Errors
/// If they are not f32.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// `weights` after `change` has modified each layer. It gets the layer's name, its weights, one output channel after the other, and the
/// number of output channels.
///
/// # Errors
/// If the weights are not f32.
pub(crate) fn map_layers(
    weights: &Weights,
    mut change: impl FnMut(&str, &mut [f32], usize),
) -> Result<Weights> {
    let tensors = weights.tensors().iter().map(|(name, tensor)| {
        if !is_layer(name, tensor.rank()) {
            return Ok((name.clone(), tensor.clone()));
        }
        let mut values = values(tensor)?;
        change(name, &mut values, tensor.dims()[0]);
        let changed = Tensor::from_vec(values, tensor.shape(), tensor.device())?;
        Ok((name.clone(), changed))
    });
    Ok(Weights::from_tensors(tensors.collect::<Result<Vec<_>>>()?))
}
