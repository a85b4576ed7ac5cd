//! One job for all generators that move images by their own rule and use the network's classes as labels.

use crate::{Context, Generated, Stop};
use brink_models::{Error, Job, Network, Result, Status, state::State};
use brink_verify::LabelSpace;
use candle_core::{Device, Tensor};

/// How images change.
pub(crate) trait Rule {
    /// The images after `x (n, c, h, w)` in iteration `iteration`, and the mean loss of `x`.
    fn step(&mut self, target: &Network, x: &Tensor, iteration: usize) -> Result<(Tensor, f32)>;

    /// The images to keep; by default the last.
    fn kept(&self, last: &Tensor) -> Result<Tensor> {
        Ok(last.clone())
    }

    /// Adds the state of the rule.
    fn save(&self, state: State) -> Result<State> {
        Ok(state)
    }

    /// Restores the state of the rule.
    fn restore(&mut self, _: &State) -> Result<()> {
        Ok(())
    }
}

/// A descent in progress.
pub(crate) struct Descent<'a, R> {
    context: Context<'a>,
    generator: &'static str,
    rule: R,
    x: Tensor,
    done: usize,
    iterations: usize,
    loss: f32,
}

impl<'a, R: Rule> Descent<'a, R> {
    /// Starts from the `pixels` of `samples` images.
    pub fn new(
        context: Context<'a>,
        generator: &'static str,
        rule: R,
        (samples, pixels): (usize, Vec<f32>),
        iterations: usize,
    ) -> Result<Self> {
        let [c, h, w] = context.held_out.shape();
        let x = Tensor::from_vec(pixels, (samples, c, h, w), &Device::Cpu)?
            .to_device(context.target.device())?;
        Ok(Self {
            context,
            generator,
            rule,
            x,
            done: 0,
            iterations,
            loss: f32::NAN,
        })
    }
}

impl<R: Rule> Job for Descent<'_, R> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        if self.done < self.iterations {
            let (next, loss) = self.rule.step(self.context.target, &self.x, self.done)?;
            self.done += 1;
            if !loss.is_finite() {
                return Err(Error::Diverged {
                    what: format!("the loss of {}", self.generator),
                    value: loss,
                    iteration: self.done,
                });
            }
            (self.x, self.loss) = (next, loss);
        }
        Ok(Status {
            done: self.done,
            total: self.iterations,
            finished: self.done == self.iterations,
            note: format!("loss {:.4e}", self.loss),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        let state = State::default()
            .tensor("x", &self.x)
            .number("done", self.done);
        self.rule.save(state)?.to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let x = state.take("x")?;
        if x.shape() != self.x.shape() {
            return Err(Error::State(format!(
                "its samples are {:?}, expected {:?}",
                x.shape(),
                self.x.shape()
            )));
        }
        self.x = x.to_device(self.x.device())?;
        self.done = state.count("done")?;
        self.rule.restore(&state)
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let x = self.rule.kept(&self.x)?;
        let singles = Generated::singles(self.generator, &self.context, LabelSpace::Classes, &x)?;
        Ok(Generated {
            iterations_cap: self.iterations,
            iterations_used: self.done,
            stop: Stop::Cap,
            ..singles
        })
    }
}
