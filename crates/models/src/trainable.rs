//! A network whose parameters have gradients, for training and fine-tuning.

use crate::builder::Source;
use crate::error::Result;
use crate::network::Network;
use crate::normalize::Normalize;
use crate::pass::{BatchNormMode, Left, Pass};
use crate::recording::Forward;
use crate::registry::Model;
use crate::state::State;
use crate::weights::{Weights, is_buffer};
use brink_ops::Tape;
use brink_ops::trace::Trace;
use brink_random::Stream;
use candle_core::{DType, Device, Tensor, Var};
use std::collections::BTreeMap;

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
            // `Var::from_tensor` shares a variable and copies a detached tensor.
            .map(|(name, t)| Ok((name.clone(), Var::from_tensor(&t.detach())?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            network: Network::build(model, classes, Source::Trainable(&vars), normalize)?,
            vars,
        })
    }

    /// Logits `(n, classes)` of images `(n, 3, h, w)` in `[0, 1]`, without gradients.
    ///
    /// # Errors
    /// If the images are too small or have another shape.
    pub fn logits(&self, images: &Tensor, batch_norm: BatchNormMode) -> Result<Tensor> {
        let mut tape = Tape::off();
        let mut pass = Pass::new(&mut tape, batch_norm);
        Ok(self.network.forward(images, &mut pass)?.detach())
    }

    /// The same, recorded for the gradients of all parameters, and of `images` if it is a variable. Dropout uses the stream `dropout`;
    /// without one, no unit is dropped.
    ///
    /// # Errors
    /// If the images are too small or have another shape.
    pub fn record(
        &self,
        images: &Tensor,
        batch_norm: BatchNormMode,
        dropout: Option<&mut Stream>,
    ) -> Result<Forward> {
        let mut tape = Tape::recording();
        let mut pass = Pass::new(&mut tape, batch_norm);
        pass.dropout = dropout;
        let logits = self.network.forward(images, &mut pass)?;
        Ok(Forward { logits, tape })
    }

    /// The training pass for images of `shape`, `(c, h, w)`, as data, and what it leaves to the host; units are dropped if `dropout`.
    /// The parameters of the trace are [`Trainable::parameters`], its end is the logits. `None` if it has no form.
    ///
    /// # Errors
    /// If the images are too small or have another shape.
    pub(crate) fn describe(
        &self,
        [c, h, w]: [usize; 3],
        batch_norm: BatchNormMode,
        dropout: bool,
    ) -> Result<Option<(Trace, Left)>> {
        let one = Tensor::zeros((1, c, h, w), DType::F32, self.device())?;
        let (mut tape, mut left) = (Tape::recording(), Left::default());
        // The way from the images belongs to the description, too.
        tape.watch(&one);
        let mut masks = Stream::new(0);
        let mut pass = Pass::new(&mut tape, batch_norm);
        pass.dropout = dropout.then_some(&mut masks);
        pass.left = Some(&mut left);
        let logits = self.network.forward(&one, &mut pass)?;
        let parameters: Vec<&Tensor> = self.parameters().map(|(_, var)| var.as_tensor()).collect();
        let trace = tape.trace(&one, &parameters, &[&logits])?;
        Ok(trace.map(|trace| (trace, left)))
    }

    /// The parameters by name, without buffers.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars
            .iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(name, var)| (name.as_str(), var))
    }

    /// All variables by name: parameters and buffers. A clone of a variable shares its values with the network.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.vars
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

    /// Restores all weights from a state.
    ///
    /// # Errors
    /// If the state belongs to another network.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in &self.vars {
            state.set(var, &format!("weight/{name}"))?;
        }
        Ok(())
    }

    /// A copy of the current weights.
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
