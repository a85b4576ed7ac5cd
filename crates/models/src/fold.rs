//! Batch normalisation folded into convolutions, as engines do before they deploy a network.

use crate::conv_bn::EPS;
use crate::error::{Error, Result};
use crate::registry::Model;
use crate::slot::Kind;
use crate::weights::Weights;
use candle_core::Tensor;

/// The weights of `model` with each batch normalisation folded into the convolution before it.
///
/// The network computes the same function. But each weight is rounded once more, so logits differ in their last bits. What is left of a
/// normalisation adds the bias.
///
/// # Errors
/// If the weights do not fit the model, or are not f32.
pub fn fold_batch_norm(model: Model, classes: usize, weights: &Weights) -> Result<Weights> {
    weights.check(model, classes)?;
    let slots = model.slots(classes)?;
    let mut tensors = weights.tensors().clone();
    for (at, slot) in slots.iter().enumerate() {
        let bias = slots.get(at + 1).map(|next| next.name.as_str());
        let bias = bias.filter(|name| slot.name.replace(".weight", ".bias") == **name);
        let first = at + 1 + usize::from(bias.is_some());
        let Some(slots) = slots.get(first..first + 4) else {
            continue;
        };
        let variance = slots[3].name.ends_with("running_var");
        if slot.kind != Kind::Convolution || !variance {
            continue;
        }
        let read = |name: &str| -> Result<Vec<f32>> {
            let tensor = tensors.get(name);
            let tensor =
                tensor.ok_or_else(|| Error::State(format!("there is no tensor `{name}`")))?;
            Ok(tensor.flatten_all()?.to_vec1()?)
        };
        let mut weight = read(&slot.name)?;
        let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|part: usize| read(&slots[part].name));
        let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
        let own = bias.map(read).transpose()?;
        let (mut folded, each) = (Vec::with_capacity(gamma.len()), weight.len() / gamma.len());
        for (channel, weight) in weight.chunks_exact_mut(each).enumerate() {
            let [gamma, beta, mean, variance] =
                [&gamma, &beta, &mean, &variance].map(|of| f64::from(of[channel]));
            let scale = gamma / (variance + EPS).sqrt();
            for weight in weight {
                *weight = (f64::from(*weight) * scale) as f32;
            }
            let own = own.as_ref().map_or(0.0, |own| f64::from(own[channel]));
            folded.push((beta + (own - mean) * scale) as f32);
        }
        let channels = gamma.len();
        let vectors = [
            vec![1.0; channels],
            folded,
            vec![0.0; channels],
            vec![(1.0 - EPS) as f32; channels],
        ];
        let mut put = |name: &str, values: Vec<f32>| -> Result<()> {
            let old = &tensors[name];
            let new = Tensor::from_vec(values, old.shape(), old.device())?;
            tensors.insert(name.to_owned(), new);
            Ok(())
        };
        put(&slot.name, weight)?;
        if let Some(name) = bias {
            put(name, vec![0.0; channels])?;
        }
        for (slot, values) in slots.iter().zip(vectors) {
            put(&slot.name, values)?;
        }
    }
    Ok(Weights::from_tensors(tensors))
}
