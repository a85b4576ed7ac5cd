//! The course of stage 1: how fast samples reach the boundary, and how large their outputs stay.

use super::in_turn::InTurn;
use super::{Measured, Probe};
use crate::boundary_descent::Objective;
use crate::{Context, Dbi, Ours};
use brink_config::checked::{Count, Positive, Samples};
use brink_models::{Error, Job, Result, Status, state::State};
use brink_verify::{LabelSpace, Progress};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Stage 1 of DBI and of Ours, measured at some iterations.
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

const GENERATORS: [&str; 2] = ["dbi", "ours"];

impl Probe for Convergence {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let (dbi, ours) = (Dbi::default(), Ours::default());
        let objective = |variance, activation| {
            let objective = Objective {
                variance,
                activation,
                ..Objective::default()
            };
            (LabelSpace::Head, objective)
        };
        let objectives = [
            objective(dbi.variance_weight.get(), 0.0),
            objective(ours.variance_weight.get(), ours.activation_weight.get()),
        ];
        let steps = (self.iterations, self.lr);
        Ok(Box::new(ConvergenceJob {
            descents: InTurn::new(&context, self.samples, steps, objectives)?,
            points: Vec::new(),
        }))
    }
}

/// Whether to measure after `done` iterations: ten times per decade, evenly on a logarithmic scale.
fn is_measured(done: usize) -> bool {
    let magnitude = 10usize.pow(done.max(1).ilog10());
    [10, 13, 16, 20, 25, 32, 40, 50, 63, 80].contains(&(done * 10 / magnitude))
        && (done * 10).is_multiple_of(magnitude)
}

struct ConvergenceJob<'a> {
    descents: InTurn<'a>,
    points: Vec<Progress>,
}

impl Job for ConvergenceJob<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        if let Some((at, descent)) = self.descents.step()? {
            let status = descent.status();
            if is_measured(status.done) || status.finished {
                let rows = descent.outputs()?;
                let mean = |of: fn(&[f64]) -> f64| {
                    rows.iter().map(|row| of(row)).sum::<f64>() / rows.len() as f64
                };
                self.points.push(Progress {
                    generator: GENERATORS[at].to_owned(),
                    iteration: status.done as u64,
                    margin: mean(|row| (row[0] - row[1]).abs()),
                    outputs: mean(|row| row.iter().map(|z| z.abs()).sum()),
                    loss: descent.loss(),
                });
            }
        }
        Ok(self.descents.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let numbers = |point: &Progress| {
            let generator = GENERATORS.iter().position(|name| *name == point.generator);
            let iteration = point.iteration as f64;
            let generator = generator.unwrap_or_default() as f64;
            [
                generator,
                iteration,
                point.margin,
                point.outputs,
                point.loss,
            ]
        };
        let points: Vec<f64> = self.points.iter().flat_map(numbers).collect();
        let points = Tensor::from_vec(points, (self.points.len(), 5), &Device::Cpu)?;
        let state = State::default().tensor("looks", &points);
        self.descents.save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let rows: Vec<Vec<f64>> = state.take("looks")?.to_vec2()?;
        let point = |row: &Vec<f64>| {
            let &[generator, iteration, margin, outputs, loss] = row.as_slice() else {
                return None;
            };
            Some(Progress {
                generator: (*GENERATORS.get(generator as usize)?).to_owned(),
                iteration: iteration as u64,
                margin,
                outputs,
                loss,
            })
        };
        let points: Option<_> = rows.iter().map(point).collect();
        self.points = points.ok_or_else(|| Error::State("its points have another form".into()))?;
        self.descents.restore(&state)
    }

    fn finish(self: Box<Self>) -> Result<Measured> {
        Ok(Measured::Convergence(self.points))
    }
}

#[cfg(test)]
mod tests {
    use super::is_measured;

    #[test]
    fn points_are_even_on_a_logarithmic_scale() {
        let points: Vec<usize> = (1..=100).filter(|&done| is_measured(done)).collect();
        let first = [1, 2, 4, 5, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80, 100];
        assert_eq!(points, first);
    }
}
