//! Stage 1 (the paper's section III-B, Eq. 6): gradient descent on pixels towards the boundary.

use crate::head::{Outputs, variance};
use crate::pixels::{Mover, PixelOptimizer, Start};
use crate::{Context, Generated, Stop};
use candle_core::{D, DType, Tensor, Var};
use models::{Coverage, Error, Job, Network, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative, Positive, Samples};
use verify::LabelSpace;

/// How stage 1 descends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage1 {
    /// What samples start from. The paper says random pixels; the released code draws them from a normal distribution.
    pub start: Start,
    /// How a gradient becomes a step. The released code has plain descent.
    pub optimizer: PixelOptimizer,
    /// The most iterations.
    pub iterations: Count,
    /// Step size: that of a gradient under `sgd`, of each pixel in `[0, 1]` under the others.
    pub lr: Positive,
    /// How per-sample losses are added up. With `mean`, as released, each sample's step is divided by the number of samples; under `sign`, which does
    /// not look at the size of a gradient, it makes no difference.
    pub reduction: Reduction,
    /// Convergence is judged over so many iterations.
    pub patience: Count,
    /// Converged if the mean |margin| and the loss both changed by less than this share over the last `patience` iterations; 0 never is. What
    /// moves more slowly than that counts as converged, too. A term without a gradient is no part of the loss here. The released code has
    /// no such end and does all its iterations: 0 is as released.
    pub tolerance: NonNegative,
}

impl Default for Stage1 {
    fn default() -> Self {
        Self {
            start: Start::Normal,
            optimizer: PixelOptimizer::Sgd,
            iterations: Count::literal(10_000),
            lr: Positive::literal(1e-3),
            reduction: Reduction::Mean,
            patience: Count::literal(200),
            tolerance: NonNegative::literal(1e-3),
        }
    }
}

/// How per-sample losses are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

/// What stage 1 minimises: `variance * var(o) - activation * sum min(|o|, cap) + coverage * A`.
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
pub(crate) struct Approach<'a> {
    target: &'a Network,
    outputs: Outputs,
    objective: Objective,
    stage: Stage1,
    x: Tensor,
    mover: Mover,
    done: usize,
    stop: Stop,
    /// Mean |margin| and loss at the last look.
    last: [f64; 2],
    loss: f32,
    /// The part of the loss that has a gradient.
    descended: f32,
}

impl<'a> Approach<'a> {
    /// Starts `samples` images; the first forward pass sees them unclamped, as released.
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
            mover: Mover::new(stage.optimizer),
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
            // Its mean over the batch becomes a sum with the rest; as released it is one anyway.
            let images = match (self.stage.reduction, term.coverage) {
                (Reduction::Sum, Coverage::Attached | Coverage::Hidden) => self.x.dims()[0],
                _ => 1,
            };
            images as f64 * term.weight
        });
        let without_term = loss.clone();
        if let Some((term, network)) = term.zip(recording.coverage()?) {
            loss = (loss + term.coverage.of_batch(&network) * weight)?;
            // The keyed head is a linear layer, too: the classifier, where there is one.
            let head = self.outputs.space() == LabelSpace::Head;
            if head && term.coverage != Coverage::Hidden {
                let [head] = ops::node(&outputs, |tape, outputs| {
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
            let direction = self.mover.direction(grad, self.done)?;
            self.x = ops::descend(&self.x, &direction, self.stage.lr.get())?;
        }
        if self.done.is_multiple_of(self.stage.patience.get()) && self.stands_still(&logits)? {
            self.stop = Stop::Converged;
        } else if self.done >= self.stage.iterations.get() {
            self.stop = Stop::Cap;
        }
        Ok(())
    }

    fn stands_still(&mut self, logits: &Tensor) -> Result<bool> {
        let judged = self.outputs.judge(logits)?;
        let margin = judged
            .iter()
            .map(|(_, margin)| f64::from(margin.abs()))
            .sum::<f64>()
            / judged.len() as f64;
        let now = [margin, f64::from(self.descended)];
        let small =
            |(old, new): (f64, f64)| (old - new).abs() < self.stage.tolerance.get() * old.abs();
        let still = self.last.into_iter().zip(now).all(small);
        self.last = now;
        Ok(still)
    }

    /// The loss of the last iteration.
    pub fn loss(&self) -> f64 {
        self.loss.into()
    }

    /// The outputs of each sample as it is now.
    pub fn outputs(&self) -> Result<Vec<Vec<f64>>> {
        let outputs = self.outputs.of(&self.target.logits(&self.x)?)?;
        Ok(outputs.detach().to_dtype(DType::F64)?.to_vec2()?)
    }

    /// Says that it is over, for who has its results already.
    pub fn skip(&mut self) {
        (self.done, self.stop) = (self.stage.iterations.get(), Stop::Cap);
    }

    /// The same samples, judged by other outputs from here on.
    pub fn judged_by(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// The samples, their labels, and what there is to report.
    pub fn end(self) -> Result<Approached<'a>> {
        let judged = self.outputs.judge(&self.target.logits(&self.x)?)?;
        Ok(Approached {
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
        // The floats of the last look as bits: a resumed job decides to stop exactly where an undisturbed one does.
        self.mover
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
        self.mover.restore(state, self.target.device())?;
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
pub(crate) struct Approached<'a> {
    pub target: &'a Network,
    pub outputs: Outputs,
    pub x: Tensor,
    pub labels: Vec<u32>,
    pub margins: Vec<f32>,
    pub cap: usize,
    pub used: usize,
    pub stop: Stop,
}

/// Stage 1 and nothing after it, as a job: its samples are the set.
pub(crate) struct Alone<'a> {
    generator: &'static str,
    context: Context<'a>,
    approach: Approach<'a>,
}

impl<'a> Alone<'a> {
    /// Starts `samples` images towards where `aim` leads, in its label space.
    ///
    /// # Errors
    /// If there are too few images to start from.
    pub fn new(
        generator: &'static str,
        context: Context<'a>,
        (space, objective): (LabelSpace, Objective),
        stage: Stage1,
        samples: Samples,
    ) -> Result<Self> {
        let outputs = Outputs::new(space, context.key, context.model_id, context.target)?;
        Ok(Self {
            generator,
            approach: Approach::new(&context, outputs, objective, stage, samples.get())?,
            context,
        })
    }
}

impl Job for Alone<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        if !self.approach.finished() {
            self.approach.step()?;
        }
        Ok(self.approach.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.approach.save(State::default()).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.approach.restore(&State::from_bytes(state)?)
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let Approach {
            outputs,
            x,
            stage,
            done,
            stop,
            ..
        } = self.approach;
        Ok(Generated {
            iterations_cap: stage.iterations.get(),
            iterations_used: done,
            stop,
            ..Generated::singles(self.generator, &self.context, outputs.space(), &x)?
        })
    }
}
