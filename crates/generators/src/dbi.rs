//! DBI (Yin et al., arXiv 2305.09684) as released with the paper: stage 1 without the magnitude term. `dbi-original` is DBI as in its own
//! paper, which starts from photographs and steps by signs.

use crate::boundary_descent::Objective;
use crate::require::require_pairs;
use crate::stage1::Stage1;
use crate::stage1_job::Stage1Job;
use crate::{Context, Generated, Generator};
use brink_config::checked::{NonNegative, Samples};
use brink_models::{Job, Result};
use brink_verify::LabelSpace;
use serde::{Deserialize, Serialize};

/// Decision-boundary images, as released with the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dbi {
    /// Number of samples.
    pub samples: Samples,
    /// The keyed head's two labels, as released, or the model's own classes.
    pub label_space: LabelSpace,
    /// The weight of the outputs' variance.
    pub variance_weight: NonNegative,
    /// Stage 1, which moves samples to the boundary.
    pub stage1: Stage1,
}

impl Default for Dbi {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            label_space: LabelSpace::Head,
            variance_weight: NonNegative::literal(100.0),
            stage1: Stage1::default(),
        }
    }
}

impl Generator for Dbi {
    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        self.stage1.start.fits(self.samples.get(), held_out)
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        let objective = Objective {
            variance: self.variance_weight.get(),
            ..Objective::default()
        };
        let objective = (self.label_space, objective);
        let job = Stage1Job::new("dbi", context, objective, self.stage1.clone(), self.samples)?;
        Ok(Box::new(job))
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.stage1.start.is_random(self.samples.get(), held_out)
    }
}
