//! The layers that networks are made of, in both forms, and the builder that makes them out of named weights.

use crate::network::{BatchNormMode, Pass};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use ops::{BatchNorm, Frozen, Window};
use std::collections::BTreeMap;

/// PyTorch's default.
const EPS: f64 = 1e-5;
/// PyTorch's default: the share of a batch's statistics in the running ones.
const MOMENTUM: f64 = 0.1;

/// How a fresh tensor is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Convolution,
    Linear { fan_in: usize },
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
    /// Detached, packed once.
    Frozen(&'a BTreeMap<String, Tensor>),
    /// Variables.
    Live(&'a BTreeMap<String, Var>),
}

/// Makes layers and notes the slots they need.
pub(crate) struct Builder<'a> {
    source: Source<'a>,
    pub slots: Vec<Slot>,
}

impl<'a> Builder<'a> {
    pub fn new(source: Source<'a>) -> Self {
        Self {
            source,
            slots: Vec::new(),
        }
    }

    fn tensor(&mut self, name: String, shape: &[usize], kind: Kind) -> Result<Var> {
        let tensor = match &self.source {
            Source::Declared => Var::zeros(shape, DType::F32, &Device::Cpu)?,
            Source::Frozen(tensors) => {
                Var::from_tensor(tensors.get(&name).ok_or_else(|| missing(&name))?)?
            }
            Source::Live(vars) => vars.get(&name).ok_or_else(|| missing(&name))?.clone(),
        };
        self.slots.push(Slot {
            name,
            shape: shape.into(),
            kind,
        });
        Ok(tensor)
    }

    /// Convolution `conv` without bias, then batch normalisation `bn`.
    pub fn conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        channels: (usize, usize),
        window: Window,
    ) -> Result<ConvBn> {
        let (c, o) = channels;
        let weight = self.tensor(
            format!("{conv}.weight"),
            &[o, c, window.kernel.0, window.kernel.1],
            Kind::Convolution,
        )?;
        let gamma = self.tensor(format!("{bn}.weight"), &[o], Kind::One)?;
        let beta = self.tensor(format!("{bn}.bias"), &[o], Kind::Zero)?;
        let mean = self.tensor(format!("{bn}.running_mean"), &[o], Kind::Zero)?;
        let variance = self.tensor(format!("{bn}.running_var"), &[o], Kind::One)?;
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
                mean,
                variance,
                window,
            },
        })
    }

    /// Fully connected layer `name`.
    pub fn linear(&mut self, name: &str, (i, o): (usize, usize)) -> Result<Linear> {
        let weight = self.tensor(
            format!("{name}.weight"),
            &[o, i],
            Kind::Linear { fan_in: i },
        )?;
        let bias = self.tensor(format!("{name}.bias"), &[o], Kind::Linear { fan_in: i })?;
        Ok(match self.source {
            Source::Frozen(_) => Linear::Frozen(Frozen::linear(&weight, &bias)?),
            _ => Linear::Live { weight, bias },
        })
    }
}

fn missing(name: &str) -> Error {
    Error::State(format!("there is no tensor `{name}`"))
}

/// Convolution and batch normalisation, with the residual sum and the ReLU that may follow.
pub(crate) enum ConvBn {
    Frozen(Frozen),
    Live {
        weight: Var,
        gamma: Var,
        beta: Var,
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
            Self::Frozen(unit) if pass.coverage.is_none() => {
                Ok(unit.forward(pass.tape, x, residual, relu)?)
            }
            Self::Frozen(unit) => {
                let a = unit.convolve(pass.tape, x)?;
                pass.cover(&a)?;
                Ok(unit.finish(pass.tape, &a, residual, relu)?)
            }
            Self::Live {
                weight,
                gamma,
                beta,
                mean,
                variance,
                window,
            } => {
                let a = ops::conv2d(pass.tape, x, weight, *window)?;
                pass.cover(&a)?;
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

/// A fully connected layer.
pub(crate) enum Linear {
    Frozen(Frozen),
    Live { weight: Var, bias: Var },
}

impl Linear {
    /// `x (n, i)` to `(n, o)`.
    pub fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let y = match self {
            Self::Frozen(unit) => unit.forward(pass.tape, x, None, false)?,
            Self::Live { weight, bias } => ops::linear(pass.tape, x, weight, bias)?,
        };
        pass.cover(&y)?;
        Ok(y)
    }
}
