//! A forger who knows some of the owner's samples: after a change, the model gets its old outputs on them again.
//!
//! Samples lie within about 1e-4 of the boundary, so their outputs must come back that closely. Conjugate gradients on the squared
//! distance of all logits do that, and hardly undo the change. The forger needs no labels and no key: all logits come back, so the
//! labels of a keyed head do, too. On ResNet-20, these were weaker: a term of distillation or of squared distance during the
//! fine-tuning, Adam on the distance alone, and gradient steps without conjugation.

use crate::Victim;
use brink_config::checked::{Count, Fraction};
use brink_models::state::State;
use brink_models::{BatchNormMode, Error, Result, Status, Trainable};
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

/// What has leaked, and how long the forger works.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hold {
    /// The share of each set's pairs that leaked, the first ones. Runs count the others.
    pub share: Fraction,
    /// The most steps of conjugate gradients on the leaked images, after the fine-tuning. They end when the outputs are the old ones up
    /// to rounding.
    pub steps: Count,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            share: Fraction::literal(0.5),
            steps: Count::literal(200),
        }
    }
}

/// The length of the trial step of a line search, as a share of the length of all weights. Shorter ones drown in rounding, longer ones
/// cross kinks of ReLU.
const TRIAL: f64 = 1e-4;

/// The distance at which outputs are the old ones: a logit of ten has a rounding error of this size.
const CLOSE: f64 = 1e-6;

/// Holding outputs, in progress.
pub(crate) struct Holding {
    /// The leaked images `(n, c, h, w)`.
    images: Tensor,
    /// The victim's logits of them, `(n, classes)`.
    wanted: Tensor,
    /// The direction of the last step, a tensor a parameter in the order of the names.
    direction: Vec<Var>,
    /// The squared length of the last gradient; 0 before the first step.
    squared: f64,
    done: usize,
    total: usize,
    /// The root of the mean squared distance of the logits, when last looked at.
    distance: f64,
}

impl Holding {
    /// Starts to hold the outputs of `network`, which still is the victim.
    ///
    /// # Errors
    /// If no image leaked, or the images do not fit the network.
    pub fn new(hold: Hold, victim: &Victim<'_>, network: &Trainable) -> Result<Self> {
        let [c, h, w] = victim.train.shape();
        let leaked = victim.leaked;
        if leaked.is_empty() {
            let problem = "`hold` needs leaked samples, and none leaked; leave it out".to_owned();
            return Err(Error::CannotCreate(problem));
        }
        let shape = (leaked.len() / (c * h * w), c, h, w);
        let images = Tensor::from_slice(leaked, shape, network.device())?;
        let fresh = |(_, var): (_, &Var)| Var::zeros(var.shape(), var.dtype(), var.device());
        Ok(Self {
            wanted: network.logits(&images, BatchNormMode::Eval)?,
            images,
            direction: network
                .parameters()
                .map(fresh)
                .collect::<candle_core::Result<_>>()?,
            squared: 0.0,
            done: 0,
            total: hold.steps.get(),
            distance: f64::NAN,
        })
    }

    /// One step of conjugate gradients (Fletcher and Reeves), if one is needed. Its length is the best if logits were linear in the weights.
    ///
    /// # Errors
    /// If the distance is not finite.
    pub fn step(&mut self, network: &Trainable) -> Result<()> {
        if self.done == self.total {
            return Ok(());
        }
        let forward = network.record(&self.images, BatchNormMode::Eval, None)?;
        let logits = forward.logits();
        let error = (&logits - &self.wanted)?;
        self.distance = (dot(&error, &error)? / error.elem_count() as f64).sqrt();
        if !self.distance.is_finite() {
            return Err(Error::Diverged {
                what: "the distance to the held outputs".into(),
                value: self.distance as f32,
                iteration: self.done + 1,
            });
        }
        if self.distance <= CLOSE {
            self.total = self.done;
            return Ok(());
        }
        self.done += 1;
        // The gradient of half the squared distance.
        let grads = forward.backward(error.clone())?;
        let mut squared = 0.0;
        for (_, weight) in network.parameters() {
            squared += grads.get(weight).map_or(Ok(0.0), |grad| dot(grad, grad))?;
        }
        let kept = match self.squared > 0.0 {
            true => squared / self.squared,
            false => 0.0,
        };
        self.squared = squared;
        let (mut start, mut lengths) = (Vec::new(), [0.0; 2]);
        for ((_, weight), direction) in network.parameters().zip(&self.direction) {
            if let Some(grad) = grads.get(weight) {
                direction.set(&((direction.as_tensor() * kept)? - grad)?)?;
            }
            lengths[0] += dot(weight, weight)?;
            lengths[1] += dot(direction, direction)?;
            start.push(weight.as_detached_tensor().copy()?);
        }
        let trial = TRIAL * (lengths[0] / lengths[1].max(f64::MIN_POSITIVE)).sqrt();
        self.walk(network, &start, trial)?;
        let moved = (network.logits(&self.images, BatchNormMode::Eval)? - logits)?;
        let bend = dot(&moved, &moved)?;
        let best = match bend > 0.0 {
            true => -trial * dot(&moved, &error)? / bend,
            false => 0.0,
        };
        self.walk(network, &start, best)
    }

    /// Puts the weights at `start` plus `by` times the direction.
    fn walk(&self, network: &Trainable, start: &[Tensor], by: f64) -> Result<()> {
        let weights = network.parameters().zip(start).zip(&self.direction);
        for (((_, weight), start), direction) in weights {
            weight.set(&(start + (direction.as_tensor() * by)?)?)?;
        }
        Ok(())
    }

    /// The progress, after `tuned` steps of fine-tuning that are all done, or not.
    pub fn status(&self, tuned: Status) -> Status {
        let (done, total) = (tuned.done + self.done, tuned.total + self.total);
        Status {
            done,
            total,
            finished: done == total,
            note: match self.done {
                0 => tuned.note,
                _ => format!("distance {:.1e}", self.distance),
            },
        }
    }

    /// Adds everything to a state.
    ///
    /// # Errors
    /// If a number does not become a tensor.
    pub fn save(&self, state: State) -> Result<State> {
        let squared = Tensor::new(self.squared, self.images.device())?;
        let directions = self.direction.iter().enumerate();
        let state = directions.fold(state, |state, (nth, direction)| {
            state.tensor(format!("hold/{nth}"), direction)
        });
        Ok(state
            .tensor("hold/squared", &squared)
            .number("held", self.done))
    }

    /// Restores everything from a state.
    ///
    /// # Errors
    /// If the state belongs to another network, or has more steps than planned.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        for (nth, direction) in self.direction.iter().enumerate() {
            state.set(direction, &format!("hold/{nth}"))?;
        }
        self.squared = state.take("hold/squared")?.to_scalar()?;
        self.done = state.count("held")?;
        if self.done > self.total {
            let (done, total) = (self.done, self.total);
            return Err(Error::State(format!(
                "it has {done} steps of {total} on leaked images"
            )));
        }
        Ok(())
    }
}

/// The product of two tensors of one shape, summed in f64 in the order of the elements.
fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    let values = |t: &Tensor| t.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>();
    let (a, b) = (values(a)?, values(b)?);
    let products = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    Ok(products.sum())
}
