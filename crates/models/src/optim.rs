//! Stochastic gradient descent with momentum, and Adam, as PyTorch defines them.

use crate::error::Result;
use crate::state::State;
use crate::trainable::Trainable;
use brink_ops::{AdamStep, Gradients, SgdStep, Update};
use candle_core::Var;

/// An update rule with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum; 0 for none.
        momentum: f64,
        /// Nesterov's form of the momentum.
        nesterov: bool,
        /// L2 penalty.
        weight_decay: f64,
    },
    /// Adam.
    Adam {
        /// L2 penalty (not decoupled).
        weight_decay: f64,
    },
}

/// An optimiser over all parameters of a network.
pub struct Optimizer {
    rule: Rule,
    steps: usize,
    /// The velocity, or Adam's two moments, of each parameter in the order of the names.
    moments: Vec<Vec<Var>>,
}

impl Optimizer {
    /// A fresh optimiser for `network`.
    ///
    /// # Errors
    /// If the device has no memory for its state.
    pub fn new(rule: Rule, network: &Trainable) -> Result<Self> {
        let buffers = match rule {
            Rule::Sgd { momentum, .. } => usize::from(momentum != 0.0),
            Rule::Adam { .. } => 2,
        };
        let fresh = |var: &Var| {
            (0..buffers)
                .map(|_| Ok(Var::zeros(var.shape(), var.dtype(), var.device())?))
                .collect()
        };
        Ok(Self {
            rule,
            steps: 0,
            moments: network
                .parameters()
                .map(|(_, var)| fresh(var))
                .collect::<Result<_>>()?,
        })
    }

    /// The next step, of learning rate `lr`. Whoever asks for it takes it.
    pub(crate) fn next(&mut self, lr: f64) -> Update {
        self.steps += 1;
        match self.rule {
            Rule::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => Update::Sgd(SgdStep {
                lr,
                momentum,
                nesterov,
                weight_decay,
                first: self.steps == 1,
            }),
            Rule::Adam { weight_decay } => Update::Adam(AdamStep {
                lr,
                betas: (0.9, 0.999),
                eps: 1e-8,
                weight_decay,
                step: self.steps as u64,
            }),
        }
    }

    /// The velocity, or the two moments, of each parameter in the order of the names.
    pub(crate) fn moments(&self) -> &[Vec<Var>] {
        &self.moments
    }

    /// Moves every parameter of `network` that has a gradient by one step of learning rate `lr`.
    ///
    /// # Errors
    /// If a gradient and its parameter differ in shape or type.
    pub fn step(&mut self, network: &Trainable, grads: &Gradients, lr: f64) -> Result<()> {
        let update = self.next(lr);
        for ((_, weight), moments) in network.parameters().zip(&self.moments) {
            let Some(grad) = grads.get(weight) else {
                continue;
            };
            match update {
                Update::Sgd(step) => brink_ops::sgd(weight, moments.first(), grad, step)?,
                Update::Adam(step) => {
                    brink_ops::adam(weight, &moments[0], &moments[1], grad, step)?;
                }
            }
        }
        Ok(())
    }

    /// Adds everything to a state.
    pub fn save(&self, network: &Trainable, mut state: State) -> State {
        for ((name, _), moments) in network.parameters().zip(&self.moments) {
            for (i, moment) in moments.iter().enumerate() {
                state = state.tensor(format!("moment{i}/{name}"), moment);
            }
        }
        state.number("optimizer_steps", self.steps)
    }

    /// Restores everything from a state.
    ///
    /// # Errors
    /// If the state belongs to an optimiser of another network.
    pub fn restore(&mut self, network: &Trainable, state: &State) -> Result<()> {
        for ((name, _), moments) in network.parameters().zip(&self.moments) {
            for (i, moment) in moments.iter().enumerate() {
                state.set(moment, &format!("moment{i}/{name}"))?;
            }
        }
        self.steps = state.count("optimizer_steps")?;
        Ok(())
    }
}
