//! Two boundary approaches from the same starting points, one after the other.

use crate::approach::{Approach, Objective, Stage1};
use crate::{Context, head};
use models::{Result, Status, state::State};
use spec::checked::{Count, NonNegative, Positive, Samples};
use verify::LabelSpace;

/// The first until it is over, then the second.
pub(super) struct InTurn<'a>([Approach<'a>; 2]);

impl<'a> InTurn<'a> {
    /// Starts `samples` samples for each; neither stops before `iterations` steps of size `lr`.
    ///
    /// # Errors
    /// If the keyed head does not fit the target.
    pub fn new(
        context: &Context<'a>,
        samples: Samples,
        (iterations, lr): (Count, Positive),
        aims: [(LabelSpace, Objective); 2],
    ) -> Result<Self> {
        let stage = Stage1 {
            iterations,
            lr,
            tolerance: NonNegative::literal(0.0),
            ..Stage1::default()
        };
        let approach = |(space, objective)| {
            Approach::new(
                context,
                head::Outputs::new(space, context.key, context.model_id, context.target)?,
                objective,
                stage.clone(),
                samples.get(),
            )
        };
        let [first, second] = aims.map(approach);
        Ok(Self([first?, second?]))
    }

    /// A step of the one whose turn it is: which, and it after the step; `None` if both are over.
    ///
    /// # Errors
    /// If the loss is no longer finite.
    pub fn step(&mut self) -> Result<Option<(usize, &Approach<'a>)>> {
        let Some(at) = self.0.iter().position(|one| !one.finished()) else {
            return Ok(None);
        };
        self.0[at].step()?;
        Ok(Some((at, &self.0[at])))
    }

    /// How far both are together.
    pub fn status(&self) -> Status {
        let all = self.0.each_ref().map(Approach::status);
        let current = all.iter().find(|status| !status.finished);
        Status {
            done: all.iter().map(|status| status.done).sum(),
            total: all.iter().map(|status| status.total).sum(),
            finished: current.is_none(),
            note: current.map_or_else(String::new, |status| status.note.clone()),
        }
    }

    /// Adds to `state` the one whose turn it is. What the first led to is the caller's to keep.
    pub fn save(&self, state: State) -> State {
        let second = usize::from(self.0[0].finished());
        self.0[second].save(state.number("second", second))
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// If it is of other samples.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        let second = state.count("second")?.min(1);
        if second == 1 {
            self.0[0].skip();
        }
        self.0[second].restore(state)
    }
}
