//! AID (Aramoon et al., DAC 2021) as released with the paper: the variance of the outputs plus a term for negative activations.
//!
//! In the released code that term is a plain number without a gradient. So the update is DBI's without DBI's factor 100
//! (`coverage: detached`, the paper's AID). `attached` gives the term its gradient.

use crate::boundary_descent::{CoverageTerm, Objective};
use crate::require::require_pairs;
use crate::stage1::Stage1;
use crate::stage1_job::Stage1Job;
use crate::{Context, Generated, Generator};
use brink_config::checked::{NonNegative, Samples};
use brink_models::{Coverage, Job, Need, Result};
use brink_verify::LabelSpace;
use serde::{Deserialize, Serialize};

/// AID, as released with the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aid {
    /// Number of samples.
    pub samples: Samples,
    /// The keyed head's two labels, as released, or the model's own classes.
    pub label_space: LabelSpace,
    /// The weight of the outputs' variance.
    pub variance_weight: NonNegative,
    /// The weight of the activation term.
    pub coverage_weight: NonNegative,
    /// Whether the activation term has a gradient.
    pub coverage: Coverage,
    /// Stage 1, which moves samples to the boundary.
    pub stage1: Stage1,
}

impl Default for Aid {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            label_space: LabelSpace::Head,
            variance_weight: NonNegative::literal(1.0),
            coverage_weight: NonNegative::literal(0.25),
            coverage: Coverage::Detached,
            stage1: Stage1::default(),
        }
    }
}

impl Generator for Aid {
    fn needs(&self) -> Need {
        Need::LAYERS
    }

    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        require_pairs(self.samples.get())?;
        self.stage1.start.fits(self.samples.get(), held_out)
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        let coverage = CoverageTerm {
            weight: self.coverage_weight.get(),
            coverage: self.coverage,
        };
        let objective = Objective {
            variance: self.variance_weight.get(),
            coverage: Some(coverage),
            ..Objective::default()
        };
        let objective = (self.label_space, objective);
        let job = Stage1Job::new("aid", context, objective, self.stage1.clone(), self.samples)?;
        Ok(Box::new(job))
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.stage1.start.is_random(self.samples.get(), held_out)
    }
}
