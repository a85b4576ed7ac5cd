//! Parameters and buffers by torchvision's names: drawing them, reading and writing checkpoints.

use crate::layers::{Kind, Slot};
use crate::{Error, Model, Result};
use candle_core::{DType, Device, Tensor, pickle};
use spec::Stream;
use std::collections::BTreeMap;
use std::path::Path;

/// The parameters and buffers of a network, by name.
#[derive(Clone, Debug)]
pub struct Weights(BTreeMap<String, Tensor>);

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
        Ok(Self(
            slots
                .iter()
                .filter(|slot| wanted(&slot.name))
                .map(|slot| Ok((slot.name.clone(), draw(slot)?)))
                .collect::<Result<_>>()?,
        ))
    }

    /// Takes tensors for what they are; [`Weights::check`] says whether they fit a model.
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self(tensors.into_iter().collect())
    }

    /// Reads a `.safetensors` file, or a `.pth` / `.pt` / `.th` file of PyTorch's: a state dict, or a checkpoint that has one under
    /// `state_dict`. Prefixes `module.` of data-parallel training and counters `num_batches_tracked` are dropped.
    ///
    /// # Errors
    /// If the file is missing, truncated, or not of these formats.
    pub fn read(path: &Path) -> Result<Self> {
        let fail = |problem: String| Error::File {
            path: path.into(),
            problem,
        };
        if let Err(e) = std::fs::File::open(path) {
            return Err(fail(format!(
                "cannot be opened ({e}); give the path of a .safetensors or .pth file"
            )));
        }
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let tensors: Vec<(String, Tensor)> = match extension {
            "safetensors" => candle_core::safetensors::load(path, &Device::Cpu)
                .map_err(|e| fail(format!("not a whole safetensors file ({e}); copy it again")))?
                .into_iter()
                .collect(),
            "pth" | "pt" | "th" => {
                let nested = pickle::read_all_with_key(path, Some("state_dict"));
                match nested {
                    Ok(tensors) if !tensors.is_empty() => tensors,
                    nested => {
                        let own = pickle::read_all(path).map_err(|e| {
                            let first = match e.to_string().contains("contiguous") {
                                true => "call `.contiguous()` on its tensors and ",
                                false => "",
                            };
                            fail(format!("not a zip checkpoint of PyTorch's that can be read ({e}); {first}save it again with torch.save of PyTorch 1.6 or newer"))
                        })?;
                        if let (true, Err(e)) = (own.is_empty(), nested) {
                            return Err(fail(format!(
                                "no tensors can be read of it, nor of its `state_dict` ({e}); save a model's `state_dict()`"
                            )));
                        }
                        own
                    }
                }
            }
            _ => {
                return Err(fail(format!(
                    "`.{extension}` is no known weight format; use .safetensors or .pth"
                )));
            }
        };
        if tensors.is_empty() {
            return Err(fail("holds no tensors".into()));
        }
        let tensors = tensors
            .into_iter()
            .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
            .map(|(name, tensor)| {
                let name = name.strip_prefix("module.").unwrap_or(&name).to_owned();
                Ok((name, tensor.to_dtype(DType::F32)?.contiguous()?))
            })
            .collect::<Result<_>>()?;
        Ok(Self(tensors))
    }

    /// The bytes of a `.safetensors` file that PyTorch loads by name.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        safetensors::serialize(&self.0, None).map_err(|e| candle_core::Error::from(e).into())
    }

    /// Checks that there is exactly one tensor of the right shape for each of the model's parameters and buffers.
    ///
    /// # Errors
    /// If not: the first difference, with the nearest name.
    pub fn check(&self, model: Model, classes: usize) -> Result<()> {
        let fail = |problem| {
            Err(Error::Weights {
                model: model.name(),
                classes,
                problem,
            })
        };
        let slots = model.slots(classes)?;
        let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        for slot in &slots {
            match self.0.get(&slot.name) {
                None => {
                    let strangers = self
                        .names()
                        .into_iter()
                        .filter(|name| !names.contains(name));
                    return fail(format!(
                        "`{}` is missing{}",
                        slot.name,
                        near(&slot.name, strangers)
                    ));
                }
                Some(t) if t.dims() != slot.shape => {
                    return fail(format!(
                        "`{}` has shape {:?}, expected {:?}",
                        slot.name,
                        t.dims(),
                        slot.shape
                    ));
                }
                Some(_) => {}
            }
        }
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(extra) => fail(format!(
                "`{extra}` is not one of its tensors{}",
                near(extra, names)
            )),
            None => Ok(()),
        }
    }

    /// The same weights with a fresh classifier for `classes` classes, drawn from `stream`; theirs may have had others.
    ///
    /// # Errors
    /// If anything but the classifier does not fit the model.
    pub fn with_new_head(mut self, model: Model, classes: usize, stream: &Stream) -> Result<Self> {
        let head = model.head(classes)?;
        let fresh = Self::draw_some(model, classes, stream, |name| head.contains(name))?;
        self.0.extend(fresh.0);
        self.check(model, classes)?;
        Ok(self)
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.0
    }

    /// All names, ascending.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The same weights in another element type or on another device.
    ///
    /// # Errors
    /// If the device refuses.
    pub fn to(&self, dtype: DType, device: &Device) -> Result<Self> {
        let tensors = self
            .0
            .iter()
            .map(|(name, t)| Ok((name.clone(), t.to_device(device)?.to_dtype(dtype)?)));
        Ok(Self(tensors.collect::<Result<_>>()?))
    }

    /// Number of elements of the parameters, buffers left out.
    pub fn parameters(&self) -> usize {
        self.0
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(_, t)| t.elem_count())
            .sum()
    }
}

/// The end of a message about `name`.
fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    spec::nearest(name, candidates).map_or(String::new(), |near| {
        format!("; the nearest name is `{near}`")
    })
}

/// Whether `name` is a buffer: it has no gradient.
pub fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}
