//! Two runs of stage 1 from the same initial samples, one after the other.

use crate::boundary_descent::{BoundaryDescent, Objective};
use crate::outputs::Outputs;
use crate::{Context, Stage1};
use brink_config::checked::{Count, NonNegative, Positive, Samples};
use brink_models::{Result, Status, state::State};
use brink_verify::LabelSpace;

/// The first until it is finished, then the second.
pub(super) struct InTurn<'a>([BoundaryDescent<'a>; 2]);

impl<'a> InTurn<'a> {
    /// Starts `samples` samples for each objective. Each run has `iterations` steps of size `lr`.
    ///
    /// # Errors
    /// If the keyed head does not fit the target.
    pub fn new(
        context: &Context<'a>,
        samples: Samples,
        (iterations, lr): (Count, Positive),
        objectives: [(LabelSpace, Objective); 2],
    ) -> Result<Self> {
        let stage = Stage1 {
            iterations,
            lr,
            tolerance: NonNegative::literal(0.0),
            ..Stage1::default()
        };
        let descent = |(space, objective)| {
            BoundaryDescent::new(
                context,
                Outputs::new(space, context.key, context.model_id, context.target)?,
                objective,
                stage.clone(),
                samples.get(),
            )
        };
        let [first, second] = objectives.map(descent);
        Ok(Self([first?, second?]))
    }

    /// One step of the current run. Returns its index and its new state, or `None` if both are finished.
    ///
    /// # Errors
    /// If the loss is not finite.
    pub fn step(&mut self) -> Result<Option<(usize, &BoundaryDescent<'a>)>> {
        let Some(at) = self.0.iter().position(|one| !one.finished()) else {
            return Ok(None);
        };
        self.0[at].step()?;
        Ok(Some((at, &self.0[at])))
    }

    /// The progress of both together.
    pub fn status(&self) -> Status {
        let all = self.0.each_ref().map(BoundaryDescent::status);
        let current = all.iter().find(|status| !status.finished);
        Status {
            done: all.iter().map(|status| status.done).sum(),
            total: all.iter().map(|status| status.total).sum(),
            finished: current.is_none(),
            note: current.map_or_else(String::new, |status| status.note.clone()),
        }
    }

    /// Adds the current run to `state`. The caller keeps the results of the first.
    pub fn save(&self, state: State) -> State {
        let second = usize::from(self.0[0].finished());
        self.0[second].save(state.number("second", second))
    }

    /// Restores a saved state.
    ///
    /// # Errors
    /// If it belongs to other samples.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        let second = state.count("second")?.min(1);
        if second == 1 {
            self.0[0].skip();
        }
        self.0[second].restore(state)
    }
}
