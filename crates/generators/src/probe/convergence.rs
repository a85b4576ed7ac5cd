//! Stage 1 against its iterations: how fast samples come to the boundary, and how large their outputs stay.

use super::in_turn::InTurn;
use super::{Measured, Probe};
use crate::approach::Objective;
use crate::{Context, Dbi, Ours};
use candle_core::{Device, Tensor};
use models::{Error, Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, Positive, Samples};
use verify::LabelSpace;

/// Stage 1 of DBI and of Ours, looked at on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convergence {
    /// Number of samples.
    pub samples: Samples,
    /// Iterations.
    pub iterations: Count,
    /// Step size of gradient descent on the pixels.
    pub lr: Positive,
}

impl Default for Convergence {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            iterations: Count::literal(10_000),
            lr: Positive::literal(1e-3),
        }
    }
}

/// A look at stage 1; means over the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// The generator's name.
    pub generator: &'static str,
    /// Iterations done.
    pub iteration: usize,
    /// |margin|.
    pub margin: f64,
    /// Sum of |output|.
    pub outputs: f64,
    /// The loss of the iteration before.
    pub loss: f64,
}

const GENERATORS: [&str; 2] = ["dbi", "ours"];

impl Probe for Convergence {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let (dbi, ours) = (Dbi::default(), Ours::default());
        let aim = |variance, activation| {
            let objective = Objective {
                variance,
                activation,
                ..Objective::default()
            };
            (LabelSpace::Head, objective)
        };
        let aims = [
            aim(dbi.variance_weight.get(), 0.0),
            aim(ours.variance_weight.get(), ours.activation_weight.get()),
        ];
        Ok(Box::new(Watched {
            approaches: InTurn::new(&context, self.samples, (self.iterations, self.lr), aims)?,
            looks: Vec::new(),
        }))
    }
}

/// Whether to look after so many iterations: some thirty times in all, evenly on a logarithmic scale.
fn worth_a_look(done: usize) -> bool {
    let magnitude = 10usize.pow(done.max(1).ilog10());
    [10, 13, 16, 20, 25, 32, 40, 50, 63, 80].contains(&(done * 10 / magnitude))
        && (done * 10).is_multiple_of(magnitude)
}

struct Watched<'a> {
    approaches: InTurn<'a>,
    looks: Vec<Look>,
}

impl Job for Watched<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        if let Some((at, approach)) = self.approaches.step()? {
            let status = approach.status();
            if worth_a_look(status.done) || status.finished {
                let rows = approach.outputs()?;
                let mean = |of: fn(&[f64]) -> f64| {
                    rows.iter().map(|row| of(row)).sum::<f64>() / rows.len() as f64
                };
                self.looks.push(Look {
                    generator: GENERATORS[at],
                    iteration: status.done,
                    margin: mean(|row| (row[0] - row[1]).abs()),
                    outputs: mean(|row| row.iter().map(|z| z.abs()).sum()),
                    loss: approach.loss(),
                });
            }
        }
        Ok(self.approaches.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let numbers = |look: &Look| {
            let generator = GENERATORS.iter().position(|name| *name == look.generator);
            let iteration = look.iteration as f64;
            let generator = generator.unwrap_or_default() as f64;
            [generator, iteration, look.margin, look.outputs, look.loss]
        };
        let looks: Vec<f64> = self.looks.iter().flat_map(numbers).collect();
        let looks = Tensor::from_vec(looks, (self.looks.len(), 5), &Device::Cpu)?;
        let state = State::default().tensor("looks", &looks);
        self.approaches.save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let rows: Vec<Vec<f64>> = state.take("looks")?.to_vec2()?;
        let look = |row: &Vec<f64>| {
            let &[generator, iteration, margin, outputs, loss] = row.as_slice() else {
                return None;
            };
            Some(Look {
                generator: GENERATORS.get(generator as usize)?,
                iteration: iteration as usize,
                margin,
                outputs,
                loss,
            })
        };
        let looks: Option<_> = rows.iter().map(look).collect();
        self.looks = looks.ok_or_else(|| Error::State("its looks are of something else".into()))?;
        self.approaches.restore(&state)
    }

    fn finish(self: Box<Self>) -> Result<Measured> {
        Ok(Measured::Convergence(self.looks))
    }
}

#[cfg(test)]
mod tests {
    use super::worth_a_look;

    #[test]
    fn looks_are_even_on_a_logarithmic_scale() {
        let looks: Vec<usize> = (1..=100).filter(|&done| worth_a_look(done)).collect();
        let first = [1, 2, 4, 5, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80, 100];
        assert_eq!(looks, first);
    }
}
