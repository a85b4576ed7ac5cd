//! Makes the layers of a network out of named weights, frozen or trainable.

use crate::conv_bn::{ConvBn, EPS};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::slot::{Kind, Slot};
use brink_ops::{Frozen, FrozenPooledLinear, Window};
use candle_core::{DType, Device, Tensor, Var};
use std::collections::BTreeMap;

/// Where a builder's tensors come from.
pub(crate) enum Source<'a> {
    /// There are no tensors: only the slots matter.
    Declared,
    /// Tensors, which are packed once. Variables among them are copied.
    Frozen(&'a BTreeMap<String, Tensor>),
    /// Variables.
    Trainable(&'a BTreeMap<String, Var>),
}

/// The share of an architecture's channels that a network has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Width(pub f64);

impl Width {
    pub const FULL: Self = Self(1.0);

    /// The number of channels for an architecture with `full` channels, at least one.
    pub fn of(self, full: usize) -> usize {
        ((full as f64 * self.0).round() as usize).max(1)
    }
}

/// Makes layers and records the slots that they need.
pub(crate) struct Builder<'a> {
    source: Source<'a>,
    width: Width,
    pub slots: Vec<Slot>,
}

impl<'a> Builder<'a> {
    pub fn new(source: Source<'a>, width: Width) -> Self {
        Self {
            source,
            width,
            slots: Vec::new(),
        }
    }

    /// The network's number of channels for an architecture with `full` channels.
    pub fn channels(&self, full: usize) -> usize {
        self.width.of(full)
    }

    /// Where its tensors come from.
    pub fn source(&self) -> &Source<'a> {
        &self.source
    }

    /// Records the slot of a tensor that another engine holds.
    pub fn declare(&mut self, name: String, shape: &[usize]) {
        self.slots.push(Slot {
            name,
            shape: shape.into(),
            kind: Kind::Zero,
        });
    }

    /// The tensor `name` for a module of candle. Frozen, it is a copy if it was a variable, so later training does not change it.
    pub fn parameter(&mut self, name: String, shape: &[usize], kind: Kind) -> Result<Tensor> {
        let tensor = self.tensor(name, shape, kind)?;
        Ok(match self.source {
            Source::Frozen(_) => tensor.copy()?.detach(),
            _ => tensor,
        })
    }

    fn tensor(&mut self, name: String, shape: &[usize], kind: Kind) -> Result<Tensor> {
        let missing = || Error::State(format!("there is no tensor `{name}`"));
        let tensor = match &self.source {
            // A broadcast scalar takes no memory: the tensors of a VGG-16 would take half a gigabyte.
            Source::Declared => Tensor::zeros((), DType::F32, &Device::Cpu)?.broadcast_as(shape)?,
            Source::Frozen(tensors) => tensors.get(&name).ok_or_else(missing)?.clone(),
            Source::Trainable(vars) => vars.get(&name).ok_or_else(missing)?.as_tensor().clone(),
        };
        self.slots.push(Slot {
            name,
            shape: shape.into(),
            kind,
        });
        Ok(tensor)
    }

    /// The variable behind a tensor that a forward pass updates.
    fn buffer(&self, name: &str, tensor: &Tensor) -> Result<Var> {
        match &self.source {
            Source::Trainable(vars) if vars.contains_key(name) => Ok(vars[name].clone()),
            _ => Ok(Var::from_tensor(tensor)?),
        }
    }

    /// Convolution `conv` without bias, then batch normalisation `bn`.
    pub fn conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        channels: (usize, usize),
        window: Window,
    ) -> Result<ConvBn> {
        self.normalised(conv, bn, channels, window, false)
    }

    /// Convolution `conv` with bias, then batch normalisation `bn`.
    pub fn biased_conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        channels: (usize, usize),
        window: Window,
    ) -> Result<ConvBn> {
        self.normalised(conv, bn, channels, window, true)
    }

    fn normalised(
        &mut self,
        conv: &str,
        bn: &str,
        (c, o): (usize, usize),
        window: Window,
        biased: bool,
    ) -> Result<ConvBn> {
        let (kh, kw) = window.kernel;
        let weight = self.tensor(format!("{conv}.weight"), &[o, c, kh, kw], Kind::Convolution)?;
        let bias = match biased {
            true => Some(self.tensor(format!("{conv}.bias"), &[o], Kind::Zero)?),
            false => None,
        };
        let vectors = self.normalisation(bn, o)?;
        Ok(match self.source {
            Source::Frozen(_) => {
                let [gamma, beta, mean, variance] = &vectors;
                let vectors = [gamma, beta, mean, variance];
                ConvBn::Fused(Frozen::conv_bn(
                    &weight,
                    bias.as_ref(),
                    vectors,
                    EPS,
                    window,
                )?)
            }
            _ => self.separate(bn, weight, bias, vectors, window, false)?,
        })
    }

    /// Convolution `conv` of each of `c` channels with a kernel of its own, without bias, then batch normalisation `bn`.
    pub fn depthwise_conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        c: usize,
        window: Window,
    ) -> Result<ConvBn> {
        let (kh, kw) = window.kernel;
        let mut weight =
            self.tensor(format!("{conv}.weight"), &[c, 1, kh, kw], Kind::Convolution)?;
        let mut vectors = self.normalisation(bn, c)?;
        if let Source::Frozen(_) = self.source {
            // Variables are copied, so later training does not change the network.
            weight = weight.copy()?.detach();
            for vector in &mut vectors {
                *vector = vector.copy()?.detach();
            }
        }
        self.separate(bn, weight, None, vectors, window, true)
    }

    /// Scale, shift, mean and variance of the batch normalisation `bn` of `o` channels.
    fn normalisation(&mut self, bn: &str, o: usize) -> Result<[Tensor; 4]> {
        Ok([
            self.tensor(format!("{bn}.weight"), &[o], Kind::One)?,
            self.tensor(format!("{bn}.bias"), &[o], Kind::Zero)?,
            self.tensor(format!("{bn}.running_mean"), &[o], Kind::Zero)?,
            self.tensor(format!("{bn}.running_var"), &[o], Kind::One)?,
        ])
    }

    /// A convolution, and after it the normalisation `bn` with these vectors.
    fn separate(
        &self,
        bn: &str,
        weight: Tensor,
        bias: Option<Tensor>,
        [gamma, beta, mean, variance]: [Tensor; 4],
        window: Window,
        depthwise: bool,
    ) -> Result<ConvBn> {
        Ok(ConvBn::Separate {
            weight,
            bias,
            gamma,
            beta,
            mean: self.buffer(&format!("{bn}.running_mean"), &mean)?,
            variance: self.buffer(&format!("{bn}.running_var"), &variance)?,
            window,
            depthwise,
        })
    }

    /// Convolution `name` with bias.
    pub fn conv(&mut self, name: &str, (c, o): (usize, usize), window: Window) -> Result<Layer> {
        let (kh, kw) = window.kernel;
        let shape = [o, c, kh, kw];
        let weight = self.tensor(format!("{name}.weight"), &shape, Kind::Convolution)?;
        let bias = self.tensor(format!("{name}.bias"), &[o], Kind::Zero)?;
        Ok(match self.source {
            Source::Frozen(_) => Layer::Frozen(Frozen::conv(&weight, &bias, window)?),
            _ => Layer::Conv {
                weight,
                bias,
                window,
            },
        })
    }

    /// Fully connected layer `name`. `kinds` says how its weight and its bias are drawn.
    pub fn linear(
        &mut self,
        name: &str,
        (i, o): (usize, usize),
        kinds: [Kind; 2],
    ) -> Result<Layer> {
        let weight = self.tensor(format!("{name}.weight"), &[o, i], kinds[0])?;
        let bias = self.tensor(format!("{name}.bias"), &[o], kinds[1])?;
        Ok(match self.source {
            Source::Frozen(_) => Layer::Frozen(Frozen::linear(&weight, &bias, (1, 1))?),
            _ => Layer::Linear { weight, bias },
        })
    }

    /// Fully connected layer `name` behind an adaptive average pooling to `bins` of maps with `c` channels.
    pub fn pooled_linear(
        &mut self,
        name: &str,
        (c, bins): (usize, (usize, usize)),
        o: usize,
        kinds: [Kind; 2],
    ) -> Result<Layer> {
        let weight = self.tensor(
            format!("{name}.weight"),
            &[o, c * bins.0 * bins.1],
            kinds[0],
        )?;
        let bias = self.tensor(format!("{name}.bias"), &[o], kinds[1])?;
        Ok(match self.source {
            Source::Frozen(_) => {
                Layer::FrozenPooled(FrozenPooledLinear::new(&weight, &bias, bins)?)
            }
            _ => Layer::Pooled { weight, bias, bins },
        })
    }

    /// The last layer of a ResNet: the means of `c` maps to `classes` logits, drawn as PyTorch does by default.
    pub fn classifier(&mut self, name: &str, c: usize, classes: usize) -> Result<Layer> {
        self.linear(name, (c, classes), [Kind::Linear { fan_in: c }; 2])
    }
}
