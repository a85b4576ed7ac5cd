//! Optimiser steps as compositions of candle's operations.

use crate::update::{AdamStep, SgdStep};
use candle_core::{Result, Tensor, Var, bail};

/// See [`crate::descend`].
///
/// # Errors
/// As candle's.
pub fn descend(x: &Tensor, grad: &Tensor, lr: f64) -> Result<Tensor> {
    (x - (grad * lr)?)?.clamp(0f64, 1f64)
}

/// See [`crate::sgd`].
///
/// # Errors
/// As candle's.
pub fn sgd(weight: &Var, velocity: Option<&Var>, grad: &Tensor, step: SgdStep) -> Result<()> {
    let w = weight.as_detached_tensor();
    let grad = (grad + (&w * step.weight_decay)?)?;
    let direction = if step.momentum == 0.0 {
        grad
    } else {
        let Some(velocity) = velocity else {
            bail!("sgd: momentum without a velocity");
        };
        let v = if step.first {
            grad.clone()
        } else {
            ((velocity.as_detached_tensor() * step.momentum)? + &grad)?
        };
        velocity.set(&v)?;
        if step.nesterov {
            (grad + (v * step.momentum)?)?
        } else {
            v
        }
    };
    weight.set(&(w - (direction * step.lr)?)?)
}

/// See [`crate::adam`].
///
/// # Errors
/// As candle's.
pub fn adam(weight: &Var, mean: &Var, square: &Var, grad: &Tensor, step: AdamStep) -> Result<()> {
    let w = weight.as_detached_tensor();
    let grad = (grad + (&w * step.weight_decay)?)?;
    let (b1, b2) = step.betas;
    let t = step.step as f64;
    let m = ((mean.as_detached_tensor() * b1)? + (&grad * (1.0 - b1))?)?;
    let v = ((square.as_detached_tensor() * b2)? + (grad.sqr()? * (1.0 - b2))?)?;
    mean.set(&m)?;
    square.set(&v)?;
    let denominator = ((v.sqrt()? / (1.0 - b2.powf(t)).sqrt())? + step.eps)?;
    weight.set(&(w - ((m / denominator)? * (step.lr / (1.0 - b1.powf(t))))?)?)
}
