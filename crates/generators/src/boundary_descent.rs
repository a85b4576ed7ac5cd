//! Stage 1 (the paper's section III-B, Eq. 6): gradient descent on pixels towards the boundary.

use crate::outputs::Outputs;
use crate::pixel_optimizer::PixelOptimizer;
use crate::stage1::{Reduction, Stage1};
use crate::variance::variance;
use crate::{Context, Stop};
use brink_models::{Coverage, Error, Network, Result, Status, state::State};
use brink_verify::LabelSpace;
use candle_core::{D, DType, Tensor, Var};

/// The loss of stage 1: `variance * var(o) - activation * sum min(|o|, cap) + coverage * A`.
#[derive(Default)]
pub(crate) struct Objective {
    pub variance: f64,
    pub activation: f64,
    pub activation_cap: Option<f64>,
    pub coverage: Option<CoverageTerm>,
}

/// AID's activation term.
pub(crate) struct CoverageTerm {
    pub weight: f64,
    pub coverage: Coverage,
}

/// Stage 1 in progress.
pub(crate) struct BoundaryDescent<'a> {
    target: &'a Network,
    pub outputs: Outputs,
    objective: Objective,
    pub stage: Stage1,
    pub x: Tensor,
    optimizer: PixelOptimizer,
    pub done: usize,
    pub stop: Stop,
    /// Mean |margin| and loss at the last convergence check.
    last: [f64; 2],
    loss: f32,
    /// The part of the loss with a gradient.
    descended: f32,
}

impl<'a> BoundaryDescent<'a> {
    /// Starts `samples` images. As released, the first forward pass sees unclamped pixels.
    ///
    /// # Errors
    /// If there are too few images to start from.
    pub fn new(
        context: &Context<'a>,
        outputs: Outputs,
        objective: Objective,
        stage: Stage1,
        samples: usize,
    ) -> Result<Self> {
        let target = context.target;
        let x = stage.start.images(samples, context)?;
        Ok(Self {
            target,
            outputs,
            objective,
            optimizer: PixelOptimizer::new(stage.optimizer),
            stage,
            x,
            done: 0,
            stop: Stop::None,
            last: [f64::INFINITY; 2],
            loss: f32::NAN,
            descended: f32::NAN,
        })
    }

    pub fn finished(&self) -> bool {
        self.stop != Stop::None
    }

    pub fn status(&self) -> Status {
        let note = format!("stage 1, loss {:.4}", self.loss);
        Status {
            done: self.done,
            total: self.stage.iterations.get(),
            finished: self.finished(),
            note,
        }
    }

    /// One iteration: forward, backward, step, clamp.
    pub fn step(&mut self) -> Result<()> {
        let term = self.objective.coverage.as_ref();
        let recording = self
            .target
            .record(&self.x, term.map(|term| term.coverage))?;
        let logits = Var::from_tensor(&recording.logits())?;
        let outputs = self.outputs.of(&logits)?;
        let mut magnitude = outputs.abs()?;
        if let Some(cap) = self.objective.activation_cap {
            magnitude = magnitude.minimum(cap)?;
        }
        let per_sample = ((variance(&outputs)? * self.objective.variance)?
            - (magnitude.sum(D::Minus1)? * self.objective.activation)?)?;
        let mut loss = match self.stage.reduction {
            Reduction::Mean => per_sample.mean_all()?,
            Reduction::Sum => per_sample.sum_all()?,
        };
        let weight = term.map_or(0.0, |term| {
            // With `sum`, the mean over the batch becomes a sum. As released, the term is a sum anyway.
            let images = match (self.stage.reduction, term.coverage) {
                (Reduction::Sum, Coverage::Attached | Coverage::Hidden) => self.x.dims()[0],
                _ => 1,
            };
            images as f64 * term.weight
        });
        let without_term = loss.clone();
        if let Some((term, network)) = term.zip(recording.coverage()?) {
            loss = (loss + term.coverage.of_batch(&network) * weight)?;
            // The keyed head is a linear layer, too. It takes the classifier's place.
            let head = self.outputs.space() == LabelSpace::Head;
            if head && term.coverage != Coverage::Hidden {
                let [head] = brink_ops::node(&outputs, |tape, outputs| {
                    Ok::<_, Error>([term.coverage.of(tape, outputs)?])
                })?;
                let head = match term.coverage {
                    Coverage::Detached => head.sum_all()?,
                    Coverage::Attached | Coverage::Hidden => head.mean_all()?,
                };
                loss = (loss + (head * weight)?)?;
            }
        }
        self.loss = loss.to_scalar()?;
        self.descended = match term.map(|term| term.coverage) {
            Some(Coverage::Detached) => without_term.to_scalar()?,
            _ => self.loss,
        };
        self.done += 1;
        if !self.loss.is_finite() {
            return Err(Error::Diverged {
                what: "the stage-1 loss".into(),
                value: self.loss,
                iteration: self.done,
            });
        }
        let grads = loss.backward()?;
        if let Some(grad) = grads.get(&logits) {
            let each = weight / self.x.dim(0)? as f64;
            let grad = recording.input_gradient(grad.clone(), each)?;
            let direction = self.optimizer.direction(grad, self.done)?;
            self.x = brink_ops::descend(&self.x, &direction, self.stage.lr.get())?;
        }
        if self.done.is_multiple_of(self.stage.patience.get()) && self.has_converged(&logits)? {
            self.stop = Stop::Converged;
        } else if self.done >= self.stage.iterations.get() {
            self.stop = Stop::Cap;
        }
        Ok(())
    }

    fn has_converged(&mut self, logits: &Tensor) -> Result<bool> {
        let judged = self.outputs.judge(logits)?;
        let margin = judged
            .iter()
            .map(|(_, margin)| f64::from(margin.abs()))
            .sum::<f64>()
            / judged.len() as f64;
        let now = [margin, f64::from(self.descended)];
        let small =
            |(old, new): (f64, f64)| (old - new).abs() < self.stage.tolerance.get() * old.abs();
        let converged = self.last.into_iter().zip(now).all(small);
        self.last = now;
        Ok(converged)
    }

    /// The loss of the last iteration.
    pub fn loss(&self) -> f64 {
        self.loss.into()
    }

    /// The outputs of each current sample.
    pub fn outputs(&self) -> Result<Vec<Vec<f64>>> {
        let outputs = self.outputs.of(&self.target.logits(&self.x)?)?;
        Ok(outputs.detach().to_dtype(DType::F64)?.to_vec2()?)
    }

    /// Marks stage 1 as finished, for a caller that already has its results.
    pub fn skip(&mut self) {
        (self.done, self.stop) = (self.stage.iterations.get(), Stop::Cap);
    }

    /// The same samples, judged by other outputs.
    pub fn with_outputs(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// The samples, their labels and what a record needs.
    pub fn finish(self) -> Result<BoundarySamples<'a>> {
        let judged = self.outputs.judge(&self.target.logits(&self.x)?)?;
        Ok(BoundarySamples {
            target: self.target,
            margins: judged.iter().map(|(_, margin)| margin.abs()).collect(),
            labels: judged.into_iter().map(|(label, _)| label).collect(),
            outputs: self.outputs,
            x: self.x,
            cap: self.stage.iterations.get(),
            used: self.done,
            stop: self.stop,
        })
    }

    pub fn save(&self, state: State) -> State {
        // The bits of the floats: a resumed job stops exactly where an uninterrupted one does.
        self.optimizer
            .save(state)
            .tensor("x", &self.x)
            .number("done", self.done)
            .number("last_margin", self.last[0].to_bits() as usize)
            .number("last_loss", self.last[1].to_bits() as usize)
            .number("stop", self.stop as usize)
    }

    pub fn restore(&mut self, state: &State) -> Result<()> {
        let x = state.take("x")?;
        if x.shape() != self.x.shape() {
            return Err(Error::State(format!(
                "its samples are {:?}, expected {:?}",
                x.shape(),
                self.x.shape()
            )));
        }
        self.x = x.to_device(self.target.device())?;
        self.optimizer.restore(state, self.target.device())?;
        self.done = state.count("done")?;
        self.last = [
            f64::from_bits(state.count("last_margin")? as u64),
            f64::from_bits(state.count("last_loss")? as u64),
        ];
        self.stop = [Stop::None, Stop::Converged, Stop::Cap]
            .into_iter()
            .nth(state.count("stop")?)
            .unwrap_or(Stop::None);
        Ok(())
    }
}

/// Samples at the end of stage 1.
pub(crate) struct BoundarySamples<'a> {
    pub target: &'a Network,
    pub outputs: Outputs,
    pub x: Tensor,
    pub labels: Vec<u32>,
    pub margins: Vec<f32>,
    pub cap: usize,
    pub used: usize,
    pub stop: Stop,
}
