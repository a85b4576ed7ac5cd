//! Parameters and buffers under torchvision's names: how they are drawn, read and written.

use crate::error::{Error, Result};
use crate::fit::{self, Naming};
use crate::registry::Model;
use crate::slot::{Kind, Slot};
use brink_checkpoint::{Checkpoint, Claim};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The parameters and buffers of a network, by name.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    claim: Option<Claim>,
    /// What [`Weights::named_for`] renamed.
    naming: Naming,
}

impl Weights {
    /// Fresh weights as torchvision draws them; each tensor has its own branch of `stream`.
    ///
    /// Convolutions are Kaiming normal (fan out). Batch normalisations are the identity. Linear layers are uniform within
    /// `1 / sqrt(fan in)`, and in VGG normal with deviation 0.01.
    ///
    /// # Errors
    /// If a tensor cannot be created.
    pub fn draw(model: Model, classes: usize, stream: &Stream) -> Result<Self> {
        Self::draw_some(model, classes, stream, |_| true)
    }

    /// Draws the tensors whose names are `wanted`. Each has its own stream, so the others do not matter.
    fn draw_some(
        model: Model,
        classes: usize,
        stream: &Stream,
        wanted: impl Fn(&String) -> bool,
    ) -> Result<Self> {
        let draw = |slot: &Slot| -> Result<Tensor> {
            let n: usize = slot.shape.iter().product();
            let stream = &mut stream.split(&slot.name);
            let values: Vec<f32> = match slot.kind {
                Kind::Convolution => {
                    let fan_out = slot.shape[0] * slot.shape[2] * slot.shape[3];
                    let std = (2.0 / fan_out as f32).sqrt();
                    (0..n).map(|_| std * stream.normal()).collect()
                }
                Kind::Linear { fan_in } => {
                    let bound = 1.0 / (fan_in as f32).sqrt();
                    (0..n).map(|_| stream.uniform_in(-bound, bound)).collect()
                }
                Kind::Normal { std } => (0..n).map(|_| std * stream.normal()).collect(),
                Kind::One => vec![1.0; n],
                Kind::Zero => vec![0.0; n],
            };
            Ok(Tensor::from_vec(
                values,
                slot.shape.as_slice(),
                &Device::Cpu,
            )?)
        };
        let slots = model.slots(classes)?;
        let drawn = slots
            .iter()
            .filter(|slot| wanted(&slot.name))
            .map(|slot| Ok((slot.name.clone(), draw(slot)?)));
        Ok(Self::from_tensors(drawn.collect::<Result<Vec<_>>>()?))
    }

    /// Wraps tensors without a check; [`Weights::check`] says whether they fit a model.
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self {
            tensors: tensors.into_iter().collect(),
            claim: None,
            naming: Naming::default(),
        }
    }

    /// Reads a weight file: safetensors, or a file of any version of `torch.save`. The file's extension does not matter.
    ///
    /// The file holds a state dict, or a training checkpoint with one. The prefix of a wrapper (`module.`) and counters
    /// `num_batches_tracked` are dropped. [`brink_checkpoint`] lists what is refused.
    ///
    /// # Errors
    /// If the file is missing, damaged, ambiguous or in another format; if a value is not a finite float; if a variance is negative.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of_file(path, &open(path)?)
    }

    /// The weights in the file `read`, which lies at `path`.
    pub(crate) fn of_file(path: &Path, read: &Checkpoint) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &read.tensors {
            let values = tensor.values.as_slice();
            if name.ends_with("running_var")
                && let Some(at) = values.iter().position(|&variance| variance < 0.0)
            {
                return Err(Error::File {
                    path: path.into(),
                    problem: format!(
                        "tensor `{name}` has {} at {at}, but a variance is never negative; copy the file again",
                        values[at]
                    ),
                });
            }
            let tensor = Tensor::from_slice(values, tensor.shape.as_slice(), &Device::Cpu)?;
            tensors.insert(name.clone(), tensor);
        }
        Ok(Self {
            claim: read.claim.clone(),
            ..Self::from_tensors(tensors)
        })
    }

    /// The same weights under the names of `model`: without a common prefix, and with the model's names for layers that other libraries
    /// name otherwise. The tensors need not fit; [`Weights::check`] says whether they do.
    ///
    /// # Errors
    /// If the model cannot have that many classes.
    pub fn named_for(mut self, model: Model, classes: usize) -> Result<Self> {
        (self.tensors, self.naming) = fit::named(&self.tensors, &model.slots(classes)?);
        Ok(self)
    }

    /// The accuracy that the file claims for the weights.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// The unusual common prefix, e.g. `teacher.`, that [`Weights::named_for`] removed.
    pub fn dropped_prefix(&self) -> Option<&str> {
        Some(self.naming.prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    /// Whose names [`Weights::named_for`] translated to torchvision's, if the file had others.
    pub fn family(&self) -> Option<&'static str> {
        self.naming.family
    }

    /// The old and the new name of the classifier, if [`Weights::named_for`] renamed it.
    pub fn renamed(&self) -> Option<(&str, &str)> {
        let (theirs, ours) = self.naming.head.as_ref()?;
        Some((theirs, ours))
    }

    /// The bytes of a `.safetensors` file that PyTorch loads by name.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        safetensors::serialize(&self.tensors, None).map_err(|e| candle_core::Error::from(e).into())
    }

    /// Checks that each parameter and buffer of the model has exactly one tensor of the right shape.
    ///
    /// # Errors
    /// The first differences, and the nearest network.
    pub fn check(&self, model: Model, classes: usize) -> Result<()> {
        match fit::problem(&self.tensors, model, classes)? {
            None => Ok(()),
            Some(problem) => Err(Error::Weights {
                model: model.name(),
                classes,
                problem,
            }),
        }
    }

    /// The same weights with a fresh classifier for `classes` classes, drawn from `stream`. The old classifier may have any size.
    ///
    /// # Errors
    /// If another tensor does not fit the model.
    pub fn with_new_head(mut self, model: Model, classes: usize, stream: &Stream) -> Result<Self> {
        let head = model.head(classes)?;
        let fresh = Self::draw_some(model, classes, stream, |name| head.contains(name))?;
        self.tensors.extend(fresh.tensors);
        (self.claim, self.naming) = (None, Naming::default());
        self.check(model, classes)?;
        Ok(self)
    }

    /// All networks that the weights fit as they are, with the number of classes.
    ///
    /// # Errors
    /// If a network cannot have the number of classes.
    pub fn fits(&self) -> Result<Vec<(Model, usize)>> {
        let compared = fit::compared(&self.tensors, Model::all())?.into_iter();
        let fitting = compared.filter(fit::Comparison::fits);
        Ok(fitting
            .map(|network| (network.model, network.classes))
            .collect())
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// All names, in ascending order.
    pub fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    /// The same weights in another element type or on another device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn to(&self, dtype: DType, device: &Device) -> Result<Self> {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, t)| Ok((name.clone(), t.to_device(device)?.to_dtype(dtype)?)));
        Ok(Self {
            tensors: tensors.collect::<Result<_>>()?,
            ..self.clone()
        })
    }

    /// Number of elements of the parameters, without buffers.
    pub fn parameters(&self) -> usize {
        self.tensors
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(_, t)| t.elem_count())
            .sum()
    }
}

/// Reads the weight file at `path`.
pub(crate) fn open(path: &Path) -> Result<Checkpoint> {
    brink_checkpoint::read(path).map_err(|error| Error::File {
        path: path.into(),
        problem: error.to_string(),
    })
}

/// Whether `name` is a buffer, which has no gradient.
pub fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}

/// Whether `name` is the weight of a layer, a convolution or a linear one, if it has `dimensions`. Other tensors may have several
/// dimensions, too, such as the positions of a transformer.
pub fn is_layer(name: &str, dimensions: usize) -> bool {
    dimensions > 1 && name.ends_with("weight")
}
