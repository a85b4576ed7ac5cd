//! Stage 1 against its iterations: how fast samples come to the boundary, and how large their outputs stay.

use super::{Measured, Probe};
use crate::approach::{Approach, Objective, Stage1};
use crate::{Context, Dbi, Ours, head};
use candle_core::{Device, Tensor};
use models::{Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative, Positive};
use verify::LabelSpace;

/// Stage 1 of DBI and of Ours, looked at on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convergence {
    /// Number of samples.
    pub samples: Count,
    /// Iterations.
    pub iterations: Count,
    /// Step size of gradient descent on the pixels.
    pub lr: Positive,
}

impl Default for Convergence {
    fn default() -> Self {
        Self {
            samples: Count::literal(150),
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
        let stage = Stage1 {
            iterations: self.iterations,
            lr: self.lr,
            tolerance: NonNegative::literal(0.0),
            ..Stage1::default()
        };
        let ours = Ours::default();
        let dbi = (Dbi::default().variance_weight.get(), 0.0);
        let ours = (ours.variance_weight.get(), ours.activation_weight.get());
        let approach = |(variance, activation)| {
            Approach::new(
                context.target,
                head::Outputs::new(
                    LabelSpace::Head,
                    context.key,
                    context.model_id,
                    context.target,
                )?,
                Objective {
                    variance,
                    activation,
                    coverage: None,
                },
                stage.clone(),
                (self.samples.get(), context.held_out.shape()),
                &context.stream,
            )
        };
        Ok(Box::new(Watched {
            approaches: [approach(dbi)?, approach(ours)?],
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
    approaches: [Approach<'a>; 2],
    looks: Vec<Look>,
}

impl Job for Watched<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        let at = self.approaches.iter().position(|one| !one.finished());
        if let Some(at) = at {
            let approach = &mut self.approaches[at];
            approach.step()?;
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
        let all = self.approaches.each_ref().map(Approach::status);
        let current = all.iter().find(|status| !status.finished);
        Ok(Status {
            done: all.iter().map(|status| status.done).sum(),
            total: all.iter().map(|status| status.total).sum(),
            finished: current.is_none(),
            note: current.map_or_else(String::new, |status| status.note.clone()),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        let second = usize::from(self.approaches[0].finished());
        let numbers = |look: &Look| {
            let generator = GENERATORS.iter().position(|name| *name == look.generator);
            let iteration = look.iteration as f64;
            let generator = generator.unwrap_or_default() as f64;
            [generator, iteration, look.margin, look.outputs, look.loss]
        };
        let looks: Vec<f64> = self.looks.iter().flat_map(numbers).collect();
        let looks = Tensor::from_vec(looks, (self.looks.len(), 5), &Device::Cpu)?;
        let state = State::default()
            .number("second", second)
            .tensor("looks", &looks);
        self.approaches[second].save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let second = state.count("second")?.min(1);
        if second == 1 {
            self.approaches[0].skip();
        }
        let rows: Vec<Vec<f64>> = state.take("looks")?.to_vec2()?;
        let look = |row: &Vec<f64>| Look {
            generator: GENERATORS[row[0] as usize],
            iteration: row[1] as usize,
            margin: row[2],
            outputs: row[3],
            loss: row[4],
        };
        self.looks = rows.iter().map(look).collect();
        self.approaches[second].restore(&state)
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
