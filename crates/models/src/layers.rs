//! The layers that networks are made of, in both forms, and the builder that makes them out of named weights.

use crate::network::{BatchNormMode, Pass};
use crate::registry::Width;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use ops::{BatchNorm, Frozen, FrozenPooledLinear, Window};
use std::collections::BTreeMap;

/// PyTorch's default.
const EPS: f64 = 1e-5;
/// PyTorch's default: the share of a batch's statistics in the running ones.
const MOMENTUM: f64 = 0.1;

/// How a fresh tensor is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Kaiming normal, by the fan out.
    Convolution,
    /// Uniform within one over the root of the fan in.
    Linear {
        fan_in: usize,
    },
    /// Normal, of this standard deviation.
    Normal {
        std: f32,
    },
    One,
    Zero,
}

/// A tensor that a network has.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub name: String,
    pub shape: Vec<usize>,
    pub kind: Kind,
}

/// Where a builder's tensors come from.
pub(crate) enum Source<'a> {
    /// From nowhere: only the slots matter.
    Declared,
    /// Packed once; variables are copied.
    Frozen(&'a BTreeMap<String, Tensor>),
    /// Variables.
    Live(&'a BTreeMap<String, Var>),
}

/// Makes layers and notes the slots they need.
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

    /// The network's number of channels where the architecture has `full`.
    pub fn channels(&self, full: usize) -> usize {
        self.width.of(full)
    }

    fn tensor(&mut self, name: String, shape: &[usize], kind: Kind) -> Result<Tensor> {
        let missing = || Error::State(format!("there is no tensor `{name}`"));
        let tensor = match &self.source {
            // Of its shape and without memory: a VGG-16 would take half a gigabyte.
            Source::Declared => Tensor::zeros((), DType::F32, &Device::Cpu)?.broadcast_as(shape)?,
            Source::Frozen(tensors) => tensors.get(&name).ok_or_else(missing)?.clone(),
            Source::Live(vars) => vars.get(&name).ok_or_else(missing)?.as_tensor().clone(),
        };
        self.slots.push(Slot {
            name,
            shape: shape.into(),
            kind,
        });
        Ok(tensor)
    }

    /// The variable behind a tensor that a layer changes by itself.
    fn buffer(&self, name: &str, tensor: &Tensor) -> Result<Var> {
        match &self.source {
            Source::Live(vars) if vars.contains_key(name) => Ok(vars[name].clone()),
            _ => Ok(Var::from_tensor(tensor)?),
        }
    }

    /// Convolution `conv` without bias, then batch normalisation `bn`.
    pub fn conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        (c, o): (usize, usize),
        window: Window,
    ) -> Result<ConvBn> {
        let (kh, kw) = window.kernel;
        let weight = self.tensor(format!("{conv}.weight"), &[o, c, kh, kw], Kind::Convolution)?;
        let gamma = self.tensor(format!("{bn}.weight"), &[o], Kind::One)?;
        let beta = self.tensor(format!("{bn}.bias"), &[o], Kind::Zero)?;
        let names = ["running_mean", "running_var"].map(|buffer| format!("{bn}.{buffer}"));
        let mean = self.tensor(names[0].clone(), &[o], Kind::Zero)?;
        let variance = self.tensor(names[1].clone(), &[o], Kind::One)?;
        Ok(match self.source {
            Source::Frozen(_) => ConvBn::Frozen(Frozen::conv_bn(
                &weight,
                [&gamma, &beta, &mean, &variance],
                EPS,
                window,
            )?),
            _ => ConvBn::Live {
                weight,
                gamma,
                beta,
                mean: self.buffer(&names[0], &mean)?,
                variance: self.buffer(&names[1], &variance)?,
                window,
            },
        })
    }

    /// Convolution `name` with bias.
    pub fn conv(&mut self, name: &str, (c, o): (usize, usize), window: Window) -> Result<Biased> {
        let (kh, kw) = window.kernel;
        let shape = [o, c, kh, kw];
        let weight = self.tensor(format!("{name}.weight"), &shape, Kind::Convolution)?;
        let bias = self.tensor(format!("{name}.bias"), &[o], Kind::Zero)?;
        Ok(match self.source {
            Source::Frozen(_) => Biased::Frozen(Frozen::conv(&weight, &bias, window)?),
            _ => Biased::Conv {
                weight,
                bias,
                window,
            },
        })
    }

    /// Fully connected layer `name`, drawn as `kinds` says: weight and bias.
    pub fn linear(
        &mut self,
        name: &str,
        (i, o): (usize, usize),
        kinds: [Kind; 2],
    ) -> Result<Biased> {
        let weight = self.tensor(format!("{name}.weight"), &[o, i], kinds[0])?;
        let bias = self.tensor(format!("{name}.bias"), &[o], kinds[1])?;
        Ok(match self.source {
            Source::Frozen(_) => Biased::Frozen(Frozen::linear(&weight, &bias, (1, 1))?),
            _ => Biased::Linear { weight, bias },
        })
    }

    /// Fully connected layer `name` on means over `bins` of maps with `c` channels.
    pub fn pooled_linear(
        &mut self,
        name: &str,
        (c, bins): (usize, (usize, usize)),
        o: usize,
        kinds: [Kind; 2],
    ) -> Result<Biased> {
        let weight = self.tensor(
            format!("{name}.weight"),
            &[o, c * bins.0 * bins.1],
            kinds[0],
        )?;
        let bias = self.tensor(format!("{name}.bias"), &[o], kinds[1])?;
        Ok(match self.source {
            Source::Frozen(_) => {
                Biased::FrozenPooled(FrozenPooledLinear::new(&weight, &bias, bins)?)
            }
            _ => Biased::Pooled { weight, bias, bins },
        })
    }

    /// The last layer of a ResNet: `c` means of maps to `classes` logits, drawn by PyTorch's default.
    pub fn classifier(&mut self, name: &str, c: usize, classes: usize) -> Result<Biased> {
        self.linear(name, (c, classes), [Kind::Linear { fan_in: c }; 2])
    }
}

/// Convolution and batch normalisation, with the residual sum and the ReLU that may follow.
pub(crate) enum ConvBn {
    Frozen(Frozen),
    Live {
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mean: Var,
        variance: Var,
        window: Window,
    },
}

impl ConvBn {
    /// `act(bn(conv(x)) + residual)` for `x (n, h, w, c)`.
    pub fn forward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor> {
        match self {
            Self::Frozen(unit) => pass.layer(
                |tape| unit.forward(tape, x, residual, relu),
                |tape, reduction| unit.forward_covered(tape, x, residual, relu, reduction),
            ),
            Self::Live {
                weight,
                gamma,
                beta,
                mean,
                variance,
                window,
            } => {
                let a = ops::conv2d(pass.tape, x, weight, None, false, *window)?;
                let layer = BatchNorm {
                    gamma,
                    beta,
                    eps: EPS,
                    residual,
                    relu,
                };
                Ok(match pass.batch_norm {
                    BatchNormMode::Eval => layer.eval(pass.tape, &a, mean, variance)?,
                    BatchNormMode::Train => {
                        let (y, batch) = layer.train(pass.tape, &a)?;
                        if batch.count <= 1 {
                            return Err(Error::SingleValue);
                        }
                        move_towards(mean, batch.mean.iter().copied())?;
                        move_towards(variance, batch.unbiased_variance())?;
                        y
                    }
                })
            }
        }
    }
}

/// Moves running statistics towards those of a batch.
fn move_towards(running: &Var, batch: impl Iterator<Item = f64>) -> Result<()> {
    let old = running
        .as_detached_tensor()
        .to_dtype(DType::F64)?
        .to_vec1::<f64>()?;
    let new: Vec<f64> = old
        .iter()
        .zip(batch)
        .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * new)
        .collect();
    let new =
        Tensor::from_vec(new, running.shape(), running.device())?.to_dtype(running.dtype())?;
    Ok(running.set(&new)?)
}

/// A convolution or a fully connected layer with bias, and the ReLU that may follow.
pub(crate) enum Biased {
    Frozen(Frozen),
    Conv {
        weight: Tensor,
        bias: Tensor,
        window: Window,
    },
    Linear {
        weight: Tensor,
        bias: Tensor,
    },
    /// Behind an adaptive average pooling, which it does itself.
    FrozenPooled(FrozenPooledLinear),
    Pooled {
        weight: Tensor,
        bias: Tensor,
        bins: (usize, usize),
    },
}

impl Biased {
    /// `act(layer(x))` for `x (n, h, w, c)`, or `(n, i)` where the layer is fully connected.
    pub fn forward(&self, x: &Tensor, relu: bool, pass: &mut Pass<'_>) -> Result<Tensor> {
        Ok(match self {
            Self::Frozen(unit) => pass.layer(
                |tape| unit.forward(tape, x, None, relu),
                |tape, reduction| unit.forward_covered(tape, x, None, relu, reduction),
            )?,
            Self::FrozenPooled(layer) => pass.layer(
                |tape| layer.forward(tape, x, relu),
                |tape, reduction| layer.forward_covered(tape, x, relu, reduction),
            )?,
            Self::Conv {
                weight,
                bias,
                window,
            } => ops::conv2d(pass.tape, x, weight, Some(bias), relu, *window)?,
            Self::Linear { weight, bias } => ops::linear(pass.tape, x, weight, bias, relu)?,
            Self::Pooled { weight, bias, bins } => {
                ops::pooled_linear(pass.tape, x, weight, bias, *bins, relu)?
            }
        })
    }
}
