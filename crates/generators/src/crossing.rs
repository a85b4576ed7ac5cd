//! Stage 2 (the paper's section III-C, Eq. 7): tiny sign-gradient steps until the label changes. The last image before the change and
//! the first image after it form a pair.

use crate::boundary_descent::BoundarySamples;
use brink_config::checked::{Count, Positive};
use brink_models::{Recording, Result, Status, loss::cross_entropy, state::State};
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// The settings of stage 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage2 {
    /// Size of a step for pixels in `[0, 1]`. The members of a pair differ by at most this in every pixel.
    pub alpha: Positive,
    /// The largest number of steps. Samples that have not crossed by then are counted and left out.
    pub iterations: Count,
}

impl Default for Stage2 {
    fn default() -> Self {
        Self {
            alpha: Positive::literal(1e-6),
            iterations: Count::literal(10_000),
        }
    }
}

/// A pair: two images on opposite sides of the boundary, each with its label.
pub(crate) struct Pair {
    pub before: Tensor,
    pub after: Tensor,
    pub labels: [u32; 2],
}

/// Stage 2 in progress. No sample affects a bit of another sample's logits, so only samples that have not crossed are computed.
pub(crate) struct Crossing<'a> {
    pub start: BoundarySamples<'a>,
    stage: Stage2,
    /// Indices of the samples that have not crossed, and their images.
    active: Vec<u32>,
    x: Tensor,
    /// The forward pass of `x`, if the previous step has computed it.
    recording: Option<Recording>,
    pairs: Vec<Option<Pair>>,
    done: usize,
}

impl<'a> Crossing<'a> {
    pub fn new(start: BoundarySamples<'a>, stage: Stage2) -> Self {
        let samples = start.labels.len();
        let pairs = (0..samples).map(|_| None).collect();
        Self {
            active: (0..samples as u32).collect(),
            x: start.x.clone(),
            recording: None,
            start,
            stage,
            pairs,
            done: 0,
        }
    }

    pub fn finished(&self) -> bool {
        self.active.is_empty() || self.done >= self.stage.iterations.get()
    }

    pub fn status(&self) -> Status {
        let note = format!(
            "stage 2, {} of {} crossed",
            self.pairs.len() - self.active.len(),
            self.pairs.len()
        );
        Status {
            done: self.done,
            total: self.stage.iterations.get(),
            finished: self.finished(),
            note,
        }
    }

    /// One step of every sample that has not crossed.
    pub fn step(&mut self) -> Result<()> {
        let BoundarySamples {
            target,
            outputs,
            labels,
            ..
        } = &self.start;
        let device = target.device();
        let own: Vec<u32> = self.active.iter().map(|&i| labels[i as usize]).collect();
        let recording = match self.recording.take() {
            Some(recording) => recording,
            None => target.record(&self.x, None)?,
        };
        let logits = Var::from_tensor(&recording.logits())?;
        let loss = cross_entropy(&outputs.of(&logits)?, &Tensor::new(own.as_slice(), device)?)?;
        let grads = loss.backward()?;
        let Some(grad) = grads.get(&logits) else {
            let problem = "the keyed head passes no gradient to the logits";
            return Err(brink_models::Error::CannotCreate(problem.to_owned()));
        };
        let grad = recording.input_gradient(grad.clone(), 0.0)?;
        let moved = brink_ops::descend(&self.x, &grad.sign()?, -self.stage.alpha.get())?;
        let recording = target.record(&moved, None)?;
        let judged = outputs.judge(&recording.logits())?;
        let mut remaining = Vec::new();
        for (row, (&sample, &(label, _))) in self.active.iter().zip(&judged).enumerate() {
            if label == own[row] {
                remaining.push(row as u32);
            } else {
                self.pairs[sample as usize] = Some(Pair {
                    // Copies: views would keep the images of all samples in memory.
                    before: self.x.get(row)?.copy()?,
                    after: moved.get(row)?.copy()?,
                    labels: [own[row], label],
                });
            }
        }
        self.x = if remaining.len() == self.active.len() {
            self.recording = Some(recording);
            moved
        } else {
            moved.index_select(&Tensor::new(remaining.as_slice(), device)?, 0)?
        };
        self.active = remaining
            .into_iter()
            .map(|row| self.active[row as usize])
            .collect();
        self.done += 1;
        Ok(())
    }

    /// The pairs, and the number of samples that never crossed.
    pub fn finish(self) -> (Vec<Pair>, usize) {
        let uncrossed = self.active.len();
        (self.pairs.into_iter().flatten().collect(), uncrossed)
    }

    pub fn save(&self, mut state: State) -> Result<State> {
        for (i, pair) in self.pairs.iter().enumerate() {
            if let Some(pair) = pair {
                let both = Tensor::stack(&[&pair.before, &pair.after], 0)?;
                state = state
                    .tensor(format!("pair/{i}"), &both)
                    .number(&format!("label/{i}"), pair.labels[1] as usize);
            }
        }
        Ok(state
            .tensor("start", &self.start.x)
            .tensor("crossing", &self.x)
            .number("steps", self.done))
    }

    pub fn restore(&mut self, state: &State) -> Result<()> {
        self.done = state.count("steps")?;
        self.x = state
            .take("crossing")?
            .to_device(self.start.target.device())?;
        self.active.clear();
        for (i, pair) in self.pairs.iter_mut().enumerate() {
            match state.take(&format!("pair/{i}")) {
                Ok(both) => {
                    let labels = [
                        self.start.labels[i],
                        state.count(&format!("label/{i}"))? as u32,
                    ];
                    *pair = Some(Pair {
                        before: both.get(0)?,
                        after: both.get(1)?,
                        labels,
                    });
                }
                Err(_) => self.active.push(i as u32),
            }
        }
        Ok(())
    }
}
