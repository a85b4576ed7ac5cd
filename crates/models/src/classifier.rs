//! The last layer of a network, apart from the features that it reads.

use crate::error::{Error, Result};
use crate::network::Network;
use crate::normalize::Normalize;
use crate::weights::Weights;
use candle_core::{Device, Tensor};

/// The linear layer that gives the logits, and the network that gives its inputs.
pub struct Classifier {
    /// Images to features `(n, f)`: the network with the identity as its classifier.
    pub features: Network,
    /// Row-major `(classes, f)`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Classifier {
    /// The classifier of `network`, which has these `weights` and this input normalisation.
    ///
    /// # Errors
    /// If the weights are not the network's.
    pub fn of(network: &Network, weights: &Weights, normalize: Option<Normalize>) -> Result<Self> {
        let names = network.model().head(network.classes())?;
        let tensor = |name: &String| {
            let tensor = weights.tensors().get(name);
            tensor.ok_or_else(|| Error::State(format!("there is no tensor `{name}`")))
        };
        let [weight, bias] = [tensor(&names[0])?, tensor(&names[1])?];
        let (_, features) = weight.dims2()?;
        let device = weight.device();
        let mut tensors = weights.tensors().clone();
        let identity = Tensor::eye(features, weight.dtype(), device)?;
        tensors.insert(names[0].clone(), identity);
        let none = Tensor::zeros(features, bias.dtype(), device)?;
        tensors.insert(names[1].clone(), none);
        let flat = |tensor: &Tensor| -> Result<Vec<f32>> {
            Ok(tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?)
        };
        Ok(Self {
            weight: flat(weight)?,
            bias: flat(bias)?,
            features: Network::frozen(
                network.model(),
                features,
                &Weights::from_tensors(tensors),
                normalize,
            )?,
        })
    }

    /// The weights of each class.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.weight.chunks_exact(self.features.classes())
    }

    /// The logits for the features of one image, summed in f64.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let rows = self.rows().zip(&self.bias);
        rows.map(|(row, bias)| {
            let products = row.iter().zip(features);
            let products = products.map(|(w, h)| f64::from(*w) * f64::from(*h));
            (products.sum::<f64>() + f64::from(*bias)) as f32
        })
        .collect()
    }
}
