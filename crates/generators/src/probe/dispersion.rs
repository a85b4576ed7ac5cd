//! How far apart the outputs of samples are after rounds of boundary approach (the paper's section III-A): with many classes they
//! are hard to bring together, which is why the paper puts a head of two outputs behind them.

use super::{Measured, Probe};
use crate::approach::{Approach, Objective, Stage1};
use crate::{Context, head};
use models::{Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative, Positive};
use verify::LabelSpace;

/// Boundary approach on the network's own logits, and on the keyed head's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispersion {
    /// Number of samples.
    pub samples: Count,
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
            samples: Count::literal(150),
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
        let stage = Stage1 {
            iterations: self.iterations,
            lr: self.lr,
            tolerance: NonNegative::literal(0.0),
            ..Stage1::default()
        };
        let approach = |space| {
            Approach::new(
                context.target,
                head::Outputs::new(space, context.key, context.model_id, context.target)?,
                Objective {
                    variance: self.variance_weight.get(),
                    activation: 0.0,
                    coverage: None,
                },
                stage.clone(),
                (self.samples.get(), context.held_out.shape()),
                &context.stream,
            )
        };
        let approaches = SPACES.map(approach);
        let [classes, head] = approaches;
        Ok(Box::new(Both([classes?, head?])))
    }
}

/// One after the other, from the same starting points.
struct Both<'a>([Approach<'a>; 2]);

impl Job for Both<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        if let Some(approach) = self.0.iter_mut().find(|approach| !approach.finished()) {
            approach.step()?;
        }
        let all = self.0.each_ref().map(Approach::status);
        let current = all.iter().find(|status| !status.finished);
        Ok(Status {
            done: all.iter().map(|status| status.done).sum(),
            total: all.iter().map(|status| status.total).sum(),
            finished: current.is_none(),
            note: current.map_or_else(String::new, |status| status.note.clone()),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        let at = usize::from(self.0[0].finished());
        let state = State::default().number("second", at);
        self.0[at].save(state).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let second = state.count("second")?;
        if second == 1 {
            // The first is quick to be had again, and its end is needed.
            while !self.0[0].finished() {
                self.0[0].step()?;
            }
        }
        self.0[second.min(1)].restore(&state)
    }

    fn finish(self: Box<Self>) -> Result<Measured> {
        let outputs = |approach: &Approach<'_>| {
            let rows = approach.outputs()?;
            let n = rows.first().map_or(0, Vec::len);
            let mean = |row: &[f64]| row.iter().sum::<f64>() / n as f64;
            let means: Vec<f64> = rows.iter().map(|row| mean(row)).collect();
            let deviation = |(row, of): (&Vec<f64>, &f64)| {
                let squares: Vec<f64> = row.iter().map(|z| (z - of) * (z - of)).collect();
                mean(&squares).sqrt()
            };
            Ok(Outputs {
                label_space: approach.space(),
                outputs: n,
                iterations: approach.status().done,
                deviations: rows.iter().zip(&means).map(deviation).collect(),
                means,
            })
        };
        let all = self.0.iter().map(outputs).collect::<Result<_>>()?;
        Ok(Measured::Dispersion(all))
    }
}
