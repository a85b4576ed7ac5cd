//! Parameters and buffers by torchvision's names: drawing them, reading and writing checkpoints.

use crate::layers::{Kind, Slot};
use crate::{Error, Model, Result, fit};
use candle_core::{DType, Device, Tensor};
use checkpoint::Claim;
use spec::Stream;
use std::collections::BTreeMap;
use std::path::Path;

/// The parameters and buffers of a network, by name.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    claim: Option<Claim>,
    /// What stood before all names of the file, if [`Weights::named_for`] took it off; else empty.
    prefix: String,
    renamed: Option<(String, String)>,
}

impl Weights {
    /// Fresh weights as torchvision draws them: convolutions Kaiming-normal (fan out), batch normalisation at identity, linear
    /// layers uniform in `1 / sqrt(fan in)`, or in VGG normal of 0.01; each tensor from its own branch of `stream`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn draw(model: Model, classes: usize, stream: &Stream) -> Result<Self> {
        Self::draw_some(model, classes, stream, |_| true)
    }

    /// Those of the tensors whose names are `wanted`: each has a stream of its own.
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

    /// Takes tensors for what they are; [`Weights::check`] says whether they fit a model.
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self {
            tensors: tensors.into_iter().collect(),
            claim: None,
            prefix: String::new(),
            renamed: None,
        }
    }

    /// Reads a weight file: safetensors, or what `torch.save` wrote, old or new, whatever its name ends with. It may hold a state
    /// dict alone or a training checkpoint that has one. A prefix that wrappers put before all names (`module.`) is dropped, and
    /// so are counters `num_batches_tracked`. See [`checkpoint`] for what is refused.
    ///
    /// # Errors
    /// If the file is missing, damaged, ambiguous or of another format, if a tensor is not made of finite floats, or if a variance is negative.
    pub fn read(path: &Path) -> Result<Self> {
        let fail = |problem: String| Error::File {
            path: path.into(),
            problem,
        };
        let read = checkpoint::read(path).map_err(|e| fail(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, checkpoint::Tensor { shape, values }) in read.tensors {
            if name.ends_with("running_var")
                && let Some(at) = values.iter().position(|&variance| variance < 0.0)
            {
                let value = values[at];
                return Err(fail(format!(
                    "tensor `{name}` has {value} at {at}, and a variance is never negative; copy the file again"
                )));
            }
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        }
        Ok(Self {
            claim: read.claim,
            ..Self::from_tensors(tensors)
        })
    }

    /// The same weights under the names that `model` has for them: without a prefix that all names have, and with its name for the
    /// layer that gives the logits, which many call `fc`. The tensors need not fit; [`Weights::check`] says whether they do.
    ///
    /// # Errors
    /// If the model cannot have so many classes.
    pub fn named_for(mut self, model: Model, classes: usize) -> Result<Self> {
        let slots = model.slots(classes)?;
        (self.tensors, self.prefix) = fit::without_prefix(self.tensors, &slots);
        self.renamed = fit::other_head(&self.tensors, &slots);
        if let Some((theirs, ours)) = &self.renamed {
            for part in ["weight", "bias"] {
                if let Some(tensor) = self.tensors.remove(&format!("{theirs}.{part}")) {
                    self.tensors.insert(format!("{ours}.{part}"), tensor);
                }
            }
        }
        Ok(self)
    }

    /// The accuracy that the file says these weights have.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// The prefix that all names of the file had, if [`Weights::named_for`] took one off that no usual wrapper writes, e.g. `teacher.`.
    pub fn dropped_prefix(&self) -> Option<&str> {
        Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    /// What the layer that gives the logits was called in the file, and what it is called now, if [`Weights::named_for`] renamed it.
    pub fn renamed(&self) -> Option<(&str, &str)> {
        let (theirs, ours) = self.renamed.as_ref()?;
        Some((theirs, ours))
    }

    /// The bytes of a `.safetensors` file that PyTorch loads by name.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        safetensors::serialize(&self.tensors, None).map_err(|e| candle_core::Error::from(e).into())
    }

    /// Checks that there is exactly one tensor of the right shape for each of the model's parameters and buffers.
    ///
    /// # Errors
    /// If not: the first difference, with the nearest name.
    pub fn check(&self, model: Model, classes: usize) -> Result<()> {
        match fit::difference(&self.tensors, &model.slots(classes)?) {
            None => Ok(()),
            Some(problem) => Err(Error::Weights {
                model: model.name(),
                classes,
                problem,
            }),
        }
    }

    /// The same weights with a fresh classifier for `classes` classes, drawn from `stream`; theirs may have had others.
    ///
    /// # Errors
    /// If anything but the classifier does not fit the model.
    pub fn with_new_head(mut self, model: Model, classes: usize, stream: &Stream) -> Result<Self> {
        let head = model.head(classes)?;
        let fresh = Self::draw_some(model, classes, stream, |name| head.contains(name))?;
        self.tensors.extend(fresh.tensors);
        (self.claim, self.renamed) = (None, None);
        self.check(model, classes)?;
        Ok(self)
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// All names, ascending.
    pub fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    /// The same weights in another element type or on another device.
    ///
    /// # Errors
    /// If the device refuses.
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

    /// Number of elements of the parameters, buffers left out.
    pub fn parameters(&self) -> usize {
        self.tensors
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(_, t)| t.elem_count())
            .sum()
    }
}

/// Whether `name` is a buffer: it has no gradient.
pub fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}
