//! A module of candle as a network: whatever is built of a `VarBuilder` can be trained, marked and attacked.
//!
//! The module gets one image at a time, so its logits do not depend on the batch. What happens between its operations is its own affair:
//! its layers have no activation term and cannot be rounded, and it has neither dropout nor statistics of batches.

use crate::access::Access;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::pass::{Body, Outputs, Pass};
use crate::slot::Kind;
use candle_core::{DType, Device, Shape, Tensor, bail};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Module, VarBuilder};
use std::sync::{Mutex, PoisonError};

/// A module, images `(n, 3, h, w)` to logits `(n, classes)`, and its parameters.
pub(crate) struct ModuleBody<M> {
    module: M,
    parameters: Vec<Tensor>,
}

impl<M: Module + Send + Sync> ModuleBody<M> {
    /// The module that `make` builds. It must ask for its classifier, a weight and a bias, last.
    pub fn new(
        builder: &mut Builder<'_>,
        make: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<M>,
    ) -> Result<Self> {
        let asked = Mutex::new((builder, Vec::new()));
        let backend = Box::new(Asked(&asked));
        // The builder's tensors have a type and a device of their own.
        let module = make(VarBuilder::from_backend(backend, DType::F32, Device::Cpu))?;
        let (_, parameters) = asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { module, parameters })
    }
}

impl<M: Module + Send + Sync> Body for ModuleBody<M> {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        if pass.coverage.is_some() || !matches!(pass.outputs, Outputs::Plain) {
            return Err(Error::CannotCreate(
                "the layers of this network are inside a module of candle, so their outputs cannot be summed or rounded; \
                 leave the step out"
                    .to_owned(),
            ));
        }
        let module = |x: &Tensor| self.module.forward(&x.permute((0, 3, 1, 2))?.contiguous()?);
        Ok(brink_ops::composed(pass.tape, x, &self.parameters, module)?)
    }
}

/// Hands the builder's tensors to a `VarBuilder`, and keeps them.
struct Asked<'a, 'b, 'c>(&'a Mutex<(&'b mut Builder<'c>, Vec<Tensor>)>);

impl SimpleBackend for Asked<'_, '_, '_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        _: DType,
        _: &Device,
    ) -> candle_core::Result<Tensor> {
        let kind = kind(init, &shape)?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tensor = held.0.parameter(name.to_owned(), shape.dims(), kind);
        let tensor = tensor.map_err(candle_core::Error::wrap)?;
        held.1.push(tensor.clone());
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        bail!("`{name}` is asked for without a shape; use `VarBuilder::get`")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

/// How a tensor of a module is drawn.
fn kind(init: Init, shape: &Shape) -> candle_core::Result<Kind> {
    Ok(match init {
        Init::Const(0.0) => Kind::Zero,
        Init::Const(1.0) => Kind::One,
        Init::Randn { mean: 0.0, stdev } => Kind::Normal { std: stdev as f32 },
        Init::Uniform { lo, up } if lo == -up && up > 0.0 => Kind::Linear {
            fan_in: (1.0 / (up * up)).round() as usize,
        },
        Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan,
            non_linearity,
        } => Kind::Normal {
            std: (non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt()) as f32,
        },
        other => bail!("{other:?} is no initial distribution here; use `Init::Randn` around 0"),
    })
}
