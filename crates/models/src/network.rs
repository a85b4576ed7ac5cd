//! A whole network: images in, logits out, frozen or trainable.

use crate::layers::{Builder, Source};
use crate::state::State;
use crate::weights::is_buffer;
use crate::{Model, Result, Weights};
use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What batch normalisation does in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNormMode {
    /// Normalises with the running statistics and leaves them alone.
    Eval,
    /// Normalises with the batch's statistics and moves the running ones.
    Train,
}

/// Called with the output of a convolution or linear layer, before batch normalisation and ReLU.
pub type Observer<'a> = &'a mut dyn FnMut(&Tensor) -> Result<()>;

/// One forward pass through the layers.
pub(crate) struct Pass<'a> {
    pub batch_norm: BatchNormMode,
    pub observe: Option<Observer<'a>>,
}

impl Pass<'_> {
    pub fn observed(&mut self, y: &Tensor) -> Result<()> {
        self.observe.as_mut().map_or(Ok(()), |observe| observe(y))
    }
}

/// The layers of one architecture: channels-last images in, logits `(n, classes)` out.
pub(crate) trait Body: Send + Sync {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor>;
}

/// Input normalisation `(x - mean) / std` per channel, as part of the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Mean per channel, on the scale of pixels in `[0, 1]`.
    pub mean: [f64; 3],
    /// Standard deviation per channel.
    pub std: [f64; 3],
}

impl Normalize {
    /// ImageNet's, which many published networks were trained with, whatever their data set.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
}

/// A network that answers queries and passes gradients to its input.
pub struct Network {
    body: Box<dyn Body>,
    model: Model,
    classes: usize,
    /// Mean and standard deviation as `(3,)` tensors.
    normalize: Option<[Tensor; 2]>,
    dtype: DType,
    device: Device,
}

impl Network {
    /// A frozen network: its weights are packed once, and only the input has a gradient.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn frozen(
        model: Model,
        classes: usize,
        weights: &Weights,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        weights.check(model, classes)?;
        Self::build(model, classes, Source::Frozen(weights.tensors()), normalize)
    }

    fn build(
        model: Model,
        classes: usize,
        source: Source<'_>,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        let any = match &source {
            Source::Declared => None,
            Source::Frozen(tensors) => tensors.values().next().cloned(),
            Source::Live(vars) => vars.values().next().map(|v| v.as_tensor().clone()),
        };
        let (dtype, device) = any.map_or((DType::F32, Device::Cpu), |t| {
            (t.dtype(), t.device().clone())
        });
        let vector = |v: [f64; 3]| Tensor::new(&v, &device)?.to_dtype(dtype);
        let normalize = match normalize {
            Some(Normalize { mean, std }) => Some([vector(mean)?, vector(std)?]),
            None => None,
        };
        let body = model.build(&mut Builder::new(source), classes)?;
        Ok(Self {
            body,
            model,
            classes,
            normalize,
            dtype,
            device,
        })
    }

    /// The architecture.
    pub fn model(&self) -> Model {
        self.model
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The element type of the weights.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`, in evaluation mode.
    ///
    /// # Errors
    /// If the images are too small or of another shape.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        self.forward(
            images,
            &mut Pass {
                batch_norm: BatchNormMode::Eval,
                observe: None,
            },
        )
    }

    /// [`Network::logits`], showing `observe` the output of every convolution and linear layer on the way. The logits have
    /// the same bits.
    ///
    /// # Errors
    /// Those of [`Network::logits`] and of `observe`.
    pub fn logits_observed(&self, images: &Tensor, observe: Observer<'_>) -> Result<Tensor> {
        self.forward(
            images,
            &mut Pass {
                batch_norm: BatchNormMode::Eval,
                observe: Some(observe),
            },
        )
    }

    fn forward(&self, images: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = ops::channels_last(images)?;
        if let Some([mean, std]) = &self.normalize {
            x = x.broadcast_sub(mean)?.broadcast_div(std)?;
        }
        self.body.forward(&x, pass)
    }
}

/// A network whose parameters have gradients.
pub struct Trainable {
    network: Network,
    vars: BTreeMap<String, Var>,
}

impl Trainable {
    /// A trainable copy of `weights`.
    ///
    /// # Errors
    /// If the weights do not fit the model.
    pub fn new(
        model: Model,
        classes: usize,
        weights: &Weights,
        normalize: Option<Normalize>,
    ) -> Result<Self> {
        weights.check(model, classes)?;
        let vars: BTreeMap<String, Var> = weights
            .tensors()
            .iter()
            .map(|(name, t)| Ok((name.clone(), Var::from_tensor(t)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            network: Network::build(model, classes, Source::Live(&vars), normalize)?,
            vars,
        })
    }

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`.
    ///
    /// # Errors
    /// If the images are too small or of another shape.
    pub fn logits(&self, images: &Tensor, batch_norm: BatchNormMode) -> Result<Tensor> {
        self.network.forward(
            images,
            &mut Pass {
                batch_norm,
                observe: None,
            },
        )
    }

    /// The parameters by name, buffers left out.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(name, var)| (name.as_str(), var))
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        self.network.device()
    }

    /// Adds all weights to a state.
    pub fn save(&self, state: State) -> State {
        self.vars.iter().fold(state, |state, (name, var)| {
            state.tensor(format!("weight/{name}"), var)
        })
    }

    /// Takes all weights up from a state.
    ///
    /// # Errors
    /// If the state is not of this network.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in &self.vars {
            state.set(var, &format!("weight/{name}"))?;
        }
        Ok(())
    }

    /// A copy of the weights as they are now.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn weights(&self) -> Result<Weights> {
        let copy =
            |(name, var): (&String, &Var)| Ok((name.clone(), var.as_detached_tensor().copy()?));
        Ok(Weights::from_tensors(
            self.vars.iter().map(copy).collect::<Result<Vec<_>>>()?,
        ))
    }
}
