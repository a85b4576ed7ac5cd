//! The dispersion of samples' outputs after iterations of stage 1 (the paper's section III-A). Many logits are hard to make equal, so
//! the paper puts a head with two outputs behind them.

use super::in_turn::InTurn;
use super::{Measured, Probe};
use crate::Context;
use crate::boundary_descent::Objective;
use brink_config::checked::{Count, NonNegative, Positive, Samples};
use brink_models::{Job, Result, Status, state::State};
use brink_verify::LabelSpace;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Stage 1 on the network's own logits, and on the keyed head's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispersion {
    /// Number of samples.
    pub samples: Samples,
    /// Iterations.
    pub iterations: Count,
    /// Step size of gradient descent on the pixels.
    pub lr: Positive,
    /// The weight of the outputs' variance, the only term of the loss.
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

const SPACES: [LabelSpace; 2] = [LabelSpace::Classes, LabelSpace::Head];

impl Probe for Dispersion {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let objective = |space| {
            let objective = Objective {
                variance: self.variance_weight.get(),
                ..Objective::default()
            };
            (space, objective)
        };
        let steps = (self.iterations, self.lr);
        Ok(Box::new(DispersionJob {
            descents: InTurn::new(&context, self.samples, steps, SPACES.map(objective))?,
            iterations: self.iterations.get(),
            ends: Vec::new(),
        }))
    }
}

struct DispersionJob<'a> {
    descents: InTurn<'a>,
    iterations: usize,
    /// The outputs of each sample at the end of stage 1, for each label space.
    ends: Vec<Vec<Vec<f64>>>,
}

impl Job for DispersionJob<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        if let Some((_, descent)) = self.descents.step()?
            && descent.finished()
        {
            self.ends.push(descent.outputs()?);
        }
        Ok(self.descents.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut state = State::default().number("ends", self.ends.len());
        for (nth, end) in self.ends.iter().enumerate() {
            let end = Tensor::new(end.clone(), &Device::Cpu)?;
            state = state.tensor(format!("end/{nth}"), &end);
        }
        self.descents.save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        self.descents.restore(&state)?;
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
            brink_verify::Dispersion {
                label_space,
                outputs: n as u64,
                iterations: self.iterations as u64,
                deviations: rows.iter().zip(&means).map(deviation).collect(),
                means,
            }
        };
        let all = SPACES.into_iter().zip(&self.ends).map(outputs);
        Ok(Measured::Dispersion(all.collect()))
    }
}
