//! How far apart the outputs of samples are after rounds of boundary approach (the paper's section III-A): with many classes they
//! are hard to bring together, which is why the paper puts a head of two outputs behind them.

use super::in_turn::InTurn;
use super::{Measured, Probe};
use crate::Context;
use crate::approach::Objective;
use candle_core::{Device, Tensor};
use models::{Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative, Positive, Samples};
use verify::LabelSpace;

/// Boundary approach on the network's own logits, and on the keyed head's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispersion {
    /// Number of samples.
    pub samples: Samples,
    /// Rounds of approach.
    pub iterations: Count,
    /// Step size of gradient descent on the pixels.
    pub lr: Positive,
    /// The weight of the outputs' variance, which is all that is minimised.
    pub variance_weight: NonNegative,
}

impl Default for Dispersion {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            iterations: Count::literal(1000),
            lr: Positive::literal(1e-3),
            variance_weight: NonNegative::literal(100.0),
        }
    }
}

/// The outputs of samples that were brought together.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// Whose outputs.
    pub label_space: LabelSpace,
    /// Number of outputs.
    pub outputs: usize,
    /// Rounds of approach.
    pub iterations: usize,
    /// Of each sample the mean of its outputs.
    pub means: Vec<f64>,
    /// Of each sample their standard deviation (of the population).
    pub deviations: Vec<f64>,
}

const SPACES: [LabelSpace; 2] = [LabelSpace::Classes, LabelSpace::Head];

impl Probe for Dispersion {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let aim = |space| {
            let objective = Objective {
                variance: self.variance_weight.get(),
                ..Objective::default()
            };
            (space, objective)
        };
        let steps = (self.iterations, self.lr);
        Ok(Box::new(Dispersing {
            approaches: InTurn::new(&context, self.samples, steps, SPACES.map(aim))?,
            iterations: self.iterations.get(),
            ends: Vec::new(),
        }))
    }
}

struct Dispersing<'a> {
    approaches: InTurn<'a>,
    iterations: usize,
    /// Outputs of each sample at the end of an approach.
    ends: Vec<Vec<Vec<f64>>>,
}

impl Job for Dispersing<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        if let Some((_, approach)) = self.approaches.step()?
            && approach.finished()
        {
            self.ends.push(approach.outputs()?);
        }
        Ok(self.approaches.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut state = State::default().number("ends", self.ends.len());
        for (nth, end) in self.ends.iter().enumerate() {
            let end = Tensor::new(end.clone(), &Device::Cpu)?;
            state = state.tensor(format!("end/{nth}"), &end);
        }
        self.approaches.save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        self.approaches.restore(&state)?;
        let ends = 0..state.count("ends")?;
        let end = |nth| Ok(state.take(&format!("end/{nth}"))?.to_vec2()?);
        self.ends = ends.map(end).collect::<Result<_>>()?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Measured> {
        let outputs = |(label_space, rows): (LabelSpace, &Vec<Vec<f64>>)| {
            let n = rows.first().map_or(0, Vec::len);
            let mean = |row: &[f64]| row.iter().sum::<f64>() / n as f64;
            let means: Vec<f64> = rows.iter().map(|row| mean(row)).collect();
            let deviation = |(row, of): (&Vec<f64>, &f64)| {
                let squares: Vec<f64> = row.iter().map(|z| (z - of) * (z - of)).collect();
                mean(&squares).sqrt()
            };
            Outputs {
                label_space,
                outputs: n,
                iterations: self.iterations,
                deviations: rows.iter().zip(&means).map(deviation).collect(),
                means,
            }
        };
        let all = SPACES.into_iter().zip(&self.ends).map(outputs);
        Ok(Measured::Dispersion(all.collect()))
    }
}
