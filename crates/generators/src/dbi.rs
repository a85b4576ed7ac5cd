//! DBI (Yin et al., arXiv 2305.09684) as released with the paper: stage 1 without the magnitude term. As its own paper defines it,
//! it starts from photographs and steps by signs: that is `dbi-original`.

use crate::approach::{Approach, Objective, Stage1};
use crate::head::Outputs;
use crate::ours::{images, pixels};
use crate::pixels::pairable;
use crate::{Context, Generated, Generator};
use models::{Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative};
use verify::{KeyCheck, LabelSpace, Layout, SensitiveSet};

/// Decision-boundary images, as released with the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dbi {
    /// Number of samples.
    pub samples: Count,
    /// The keyed head's two labels, as released, or the model's own classes.
    pub label_space: LabelSpace,
    /// The weight of the outputs' variance.
    pub variance_weight: NonNegative,
    /// Moving to the boundary.
    pub stage1: Stage1,
}

impl Default for Dbi {
    fn default() -> Self {
        Self {
            samples: Count::literal(150),
            label_space: LabelSpace::Head,
            variance_weight: NonNegative::literal(100.0),
            stage1: Stage1::default(),
        }
    }
}

impl Generator for Dbi {
    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        pairable("dbi", self.samples.get())?;
        self.stage1.start.fits(self.samples.get(), held_out)
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        let objective = Objective {
            variance: self.variance_weight.get(),
            ..Objective::default()
        };
        singles(
            "dbi",
            self.samples,
            self.label_space,
            objective,
            &self.stage1,
            &context,
        )
    }
}

/// Stage 1 alone, as a job: what DBI and AID share.
pub(crate) fn singles<'a>(
    generator: &'static str,
    samples: Count,
    space: LabelSpace,
    objective: Objective,
    stage: &Stage1,
    context: &Context<'a>,
) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
    let outputs = Outputs::new(space, context.key, context.model_id, context.target)?;
    let shape = context.held_out.shape();
    Ok(Box::new(Singles {
        approach: Approach::new(context, outputs, objective, stage.clone(), samples.get())?,
        generator,
        shape,
        model_id: context.model_id.into(),
        key_check: (space == LabelSpace::Head).then(|| context.key.check(context.model_id)),
    }))
}

struct Singles<'a> {
    approach: Approach<'a>,
    generator: &'static str,
    shape: [usize; 3],
    model_id: String,
    key_check: Option<KeyCheck>,
}

impl Job for Singles<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        if !self.approach.finished() {
            self.approach.step()?;
        }
        Ok(self.approach.status())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.approach.save(State::default()).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.approach.restore(&State::from_bytes(state)?)
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let end = self.approach.end()?;
        let set = SensitiveSet {
            images: images(self.shape, pixels(&end.x)?)?,
            labels: end.labels,
            layout: Layout::Singles,
            label_space: end.outputs.space(),
            model_id: self.model_id,
            generator: self.generator.into(),
            key_check: self.key_check,
        };
        Ok(Generated {
            asked: set.images.len(),
            set,
            uncrossed: 0,
            iterations_cap: end.cap,
            iterations_used: end.used,
            stop: end.stop,
            margins: end.margins,
        })
    }
}
