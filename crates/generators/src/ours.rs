//! The paper's method (section III): a keyed two-way head behind the model, samples moved to its boundary, pairs across it.

use crate::boundary_descent::{BoundaryDescent, Objective};
use crate::crossing::{Crossing, Stage2};
use crate::outputs::Outputs;
use crate::pixels::images;
use crate::stage1::Stage1;
use crate::{Context, Generated, Generator};
use brink_config::checked::{NonNegative, Positive, Samples};
use brink_models::{Error, Job, Result, Status, state::State};
use brink_verify::{KeyCheck, LabelSpace, Layout, SensitiveSet};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The paper's method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ours {
    /// Initial samples. Each becomes a pair.
    pub samples: Samples,
    /// Lambda of Eq. 6: the weight of the outputs' variance. 100 is the only constant in the released code.
    pub variance_weight: NonNegative,
    /// The weight of the outputs' magnitude, which keeps the logits large.
    pub activation_weight: NonNegative,
    /// The limit on each output's magnitude in the loss. Without it, only the pixels limit the magnitude.
    pub activation_cap: Option<Positive>,
    /// The outputs of Eq. 6: the keyed head's two, as released, or the model's logits. Stage 2 always crosses the head's boundary.
    pub outputs: LabelSpace,
    /// Stage 1, which moves samples to the boundary.
    pub stage1: Stage1,
    /// Stage 2, which crosses the boundary.
    pub stage2: Stage2,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            variance_weight: NonNegative::literal(100.0),
            activation_weight: NonNegative::literal(1.0),
            activation_cap: None,
            outputs: LabelSpace::Head,
            stage1: Stage1::default(),
            stage2: Stage2::default(),
        }
    }
}

impl Generator for Ours {
    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        self.stage1.start.fits(self.samples.get(), held_out)
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.stage1.start.is_random(self.samples.get(), held_out)
    }

    fn layout(&self) -> Layout {
        Layout::Pairs
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        let outputs = |space| Outputs::new(space, context.key, context.model_id, context.target);
        let objective = Objective {
            variance: self.variance_weight.get(),
            activation: self.activation_weight.get(),
            activation_cap: self.activation_cap.map(Positive::get),
            coverage: None,
        };
        let descent = BoundaryDescent::new(
            &context,
            outputs(self.outputs)?,
            objective,
            self.stage1.clone(),
            self.samples.get(),
        )?;
        Ok(Box::new(Pairs {
            stage: Some(Stage::Descent(Box::new(descent))),
            head: Some(outputs(LabelSpace::Head)?),
            stage2: self.stage2.clone(),
            model_id: context.model_id.into(),
            key_check: context.key.check(context.model_id),
            classes: context.target.classes(),
        }))
    }
}

enum Stage<'a> {
    Descent(Box<BoundaryDescent<'a>>),
    Crossing(Box<Crossing<'a>>),
}

/// Both stages as one job.
struct Pairs<'a> {
    /// `None` only while one stage passes to the next, and after a failure there.
    stage: Option<Stage<'a>>,
    /// The head whose boundary stage 2 crosses. Stage 2 takes it.
    head: Option<Outputs>,
    stage2: Stage2,
    model_id: String,
    key_check: KeyCheck,
    classes: usize,
}

impl<'a> Pairs<'a> {
    fn stage(&mut self) -> Result<&mut Stage<'a>> {
        self.stage.as_mut().ok_or_else(gone)
    }

    /// Passes from stage 1 to stage 2.
    fn cross(&mut self) -> Result<()> {
        let (Some(Stage::Descent(descent)), Some(head)) = (self.stage.take(), self.head.take())
        else {
            return Err(gone());
        };
        let start = descent.with_outputs(head).finish()?;
        let crossing = Crossing::new(start, self.stage2.clone());
        self.stage = Some(Stage::Crossing(Box::new(crossing)));
        Ok(())
    }
}

fn gone() -> Error {
    Error::CannotCreate("an iteration failed, so the job cannot continue".to_owned())
}

impl Job for Pairs<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        match self.stage()? {
            Stage::Descent(descent) => {
                descent.step()?;
                let status = descent.status();
                if descent.finished() {
                    self.cross()?;
                }
                Ok(Status {
                    finished: false,
                    ..status
                })
            }
            Stage::Crossing(crossing) => {
                if !crossing.finished() {
                    crossing.step()?;
                }
                Ok(crossing.status())
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>> {
        match self.stage.as_ref().ok_or_else(gone)? {
            Stage::Descent(descent) => descent.save(State::default().number("stage", 1)).to_bytes(),
            Stage::Crossing(crossing) => {
                let start = &crossing.start;
                let state = State::default()
                    .number("stage", 2)
                    .number("done", start.used)
                    .number("stop", start.stop as usize);
                crossing.save(state)?.to_bytes()
            }
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let Stage::Descent(descent) = self.stage()? else {
            return Err(Error::State("only a fresh job can be restored".into()));
        };
        if state.count("stage")? == 1 {
            return descent.restore(&state);
        }
        // Stage 1 is finished. Its other results follow from its samples.
        let state1 = State::default()
            .tensor("x", state.take("start")?)
            .number("done", state.count("done")?)
            .number("last_margin", 0)
            .number("last_loss", 0)
            .number("stop", state.count("stop")?);
        descent.restore(&state1)?;
        self.cross()?;
        match self.stage()? {
            Stage::Crossing(crossing) => crossing.restore(&state),
            Stage::Descent(_) => Err(gone()),
        }
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let Some(Stage::Crossing(crossing)) = self.stage else {
            return Err(gone());
        };
        let start = &crossing.start;
        let (asked, cap, used, stop, margins) = (
            start.labels.len(),
            start.cap,
            start.used,
            start.stop,
            start.margins.clone(),
        );
        let (pairs, uncrossed) = crossing.finish();
        if pairs.is_empty() {
            return Err(Error::CannotCreate(format!(
                "none of {asked} samples crossed the boundary in stage 2; raise stage2.iterations or stage2.alpha, or stage1.iterations"
            )));
        }
        let members = pairs.iter().flat_map(|pair| [&pair.before, &pair.after]);
        let x = Tensor::stack(&members.collect::<Vec<_>>(), 0)?;
        let set = SensitiveSet {
            images: images(&x)?,
            labels: pairs.iter().flat_map(|pair| pair.labels).collect(),
            layout: Layout::Pairs,
            label_space: LabelSpace::Head,
            classes: self.classes,
            model_id: self.model_id,
            generator: "ours".into(),
            key_check: Some(self.key_check),
        };
        Ok(Generated {
            set,
            asked,
            uncrossed,
            iterations_cap: cap,
            iterations_used: used,
            stop,
            margins,
            queries: None,
        })
    }
}
