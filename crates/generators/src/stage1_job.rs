//! Stage 1 as a whole generator.

use crate::boundary_descent::{BoundaryDescent, Objective};
use crate::outputs::Outputs;
use crate::stage1::Stage1;
use crate::{Context, Generated};
use brink_config::checked::Samples;
use brink_models::{Job, Result, Status, state::State};
use brink_verify::LabelSpace;

/// A generator that has stage 1 only: its samples are the set.
pub(crate) struct Stage1Job<'a> {
    generator: &'static str,
    context: Context<'a>,
    descent: BoundaryDescent<'a>,
}

impl<'a> Stage1Job<'a> {
    /// Starts `samples` images, with an objective in a label space.
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
            descent: BoundaryDescent::new(&context, outputs, objective, stage, samples.get())?,
            context,
        })
    }
}

impl Job for Stage1Job<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        if !self.descent.finished() {
            self.descent.step()?;
        }
        Ok(self.descent.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.descent.save(State::default()).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.descent.restore(&State::from_bytes(state)?)
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let BoundaryDescent {
            outputs,
            x,
            stage,
            done,
            stop,
            ..
        } = self.descent;
        Ok(Generated {
            iterations_cap: stage.iterations.get(),
            iterations_used: done,
            stop,
            ..Generated::singles(self.generator, &self.context, outputs.space(), &x)?
        })
    }
}
