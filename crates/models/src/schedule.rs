//! The one-cycle learning rate (Smith and Topin, arXiv 1708.07120), as PyTorch's `OneCycleLR` with cosine annealing.

use serde::{Deserialize, Serialize};

/// A learning rate that rises to `max_lr` and then falls to almost 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneCycle {
    /// The highest learning rate.
    pub max_lr: f64,
    /// All steps.
    pub total_steps: usize,
    /// The share of steps with a rising rate.
    pub pct_start: f64,
    /// `max_lr` divided by the first learning rate.
    pub div_factor: f64,
    /// The first learning rate divided by the last.
    pub final_div_factor: f64,
}

impl OneCycle {
    /// PyTorch's defaults for the shape.
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        Self {
            max_lr,
            total_steps,
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
        }
    }

    /// The learning rate of step `step`, from 0.
    pub fn lr(&self, step: usize) -> f64 {
        let first = self.max_lr / self.div_factor;
        let last = first / self.final_div_factor;
        let top = self.pct_start * self.total_steps as f64 - 1.0;
        let end = self.total_steps as f64 - 1.0;
        let step = step as f64;
        let anneal = |from: f64, to: f64, share: f64| {
            to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos())
        };
        if step <= top {
            anneal(first, self.max_lr, step / top)
        } else {
            anneal(self.max_lr, last, (step - top) / (end - top))
        }
    }
}
