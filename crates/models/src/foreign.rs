//! A network that another engine runs, such as that of an ONNX file. It answers, and its weights can be changed, but there is no gradient.
//!
//! It is asked about one image at a time. So its logits do not depend on the batch or its order, whatever the engine does.

use crate::access::Access;
use crate::builder::{Builder, Source};
use crate::error::{Error, Result};
use crate::pass::{Body, Outputs, Pass};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A network that another engine runs.
pub trait Foreign: Send + Sync {
    /// Its weights in the order of the forward pass, f32. The names of layers end in `weight`, and output channels come first.
    fn weights(&self) -> &[(String, Tensor)];

    /// Its number of classes.
    fn classes(&self) -> usize;

    /// The network with these weights, which have the names and shapes of its own.
    ///
    /// # Errors
    /// If the engine cannot prepare it.
    fn with(&self, weights: &BTreeMap<String, Tensor>) -> Result<Box<dyn Answers>>;
}

/// A network of another engine, ready to be asked.
pub trait Answers: Send + Sync {
    /// The logits of one image of `shape`, `(c, h, w)`.
    ///
    /// # Errors
    /// If the engine does not answer with one number for each class.
    fn logits(&self, image: &[f32], shape: [usize; 3]) -> Result<Vec<f32>>;
}

/// The engine's network as a body. Without `answers` it only declares its tensors.
pub(crate) struct ForeignBody {
    answers: Option<Box<dyn Answers>>,
    classes: usize,
}

impl ForeignBody {
    pub fn new(foreign: &dyn Foreign, builder: &mut Builder<'_>, classes: usize) -> Result<Self> {
        if classes != foreign.classes() {
            let own = foreign.classes();
            let problem = format!("it gives scores of {own} classes, not of {classes}");
            return Err(Error::CannotCreate(problem));
        }
        for (name, tensor) in foreign.weights() {
            builder.declare(name.clone(), tensor.dims());
        }
        let answers = match builder.source() {
            Source::Declared => None,
            Source::Frozen(tensors) => Some(foreign.with(tensors)?),
            Source::Trainable(_) => return Err(no_gradient()),
        };
        Ok(Self { answers, classes })
    }
}

fn no_gradient() -> Error {
    let problem = "another engine runs this network, which only answers: it has no gradients, no training and no other arithmetic";
    Error::CannotCreate(problem.to_owned())
}

impl Body for ForeignBody {
    fn access(&self) -> Access {
        Access::Answers
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let plain = pass.coverage.is_none() && matches!(pass.outputs, Outputs::Plain);
        let Some(answers) = &self.answers else {
            return Err(no_gradient());
        };
        if pass.tape.is_recording() || !plain || x.dtype() != DType::F32 {
            return Err(no_gradient());
        }
        let images = x.to_device(&Device::Cpu)?.permute((0, 3, 1, 2))?;
        let (n, c, h, w) = images.dims4()?;
        let pixels: Vec<f32> = images.flatten_all()?.to_vec1()?;
        let each = pixels.par_chunks((c * h * w).max(1));
        let logits = each
            .map(|image| self.asked(&**answers, image, [c, h, w]))
            .collect::<Result<Vec<_>>>()?;
        let logits = Tensor::from_vec(logits.concat(), (n, self.classes), &Device::Cpu)?;
        Ok(logits.to_device(x.device())?)
    }
}

impl ForeignBody {
    fn asked(&self, answers: &dyn Answers, image: &[f32], shape: [usize; 3]) -> Result<Vec<f32>> {
        let logits = answers.logits(image, shape)?;
        match logits.len() == self.classes {
            true => Ok(logits),
            false => Err(Error::CannotCreate(format!(
                "it gives {} scores for an image of {} classes",
                logits.len(),
                self.classes
            ))),
        }
    }
}
