//! The modified model as it is deployed: who answers, and how images reach it.

use brink_attacks::{Execution, Modified, Transport, Victim};
use brink_data::Split;
use brink_generators::BlackBox;
use brink_models::Network;
use brink_verify::{Images, Oracle, OracleError, Rate};

use super::images;
use super::program::Program;
use crate::plan::TargetStep;

/// Images per query when the accuracy is measured.
const BATCH: usize = 240;

/// A modified model, or the untouched one in another execution.
pub struct Deployed {
    network: Network,
    program: Option<Program>,
    transport: Transport,
    /// Whether only the execution differs.
    benign: bool,
}

impl Deployed {
    /// The `modified` model of `victim`, the target of `step`.
    ///
    /// # Errors
    /// If the weights do not fit the model, or its program does not start.
    pub fn new(
        step: &TargetStep,
        victim: &Victim<'_>,
        modified: &Modified,
    ) -> anyhow::Result<Self> {
        let network = modified.network(victim)?;
        let none = Execution::default();
        let execution = modified.execution.as_ref();
        let Execution {
            transport, program, ..
        } = execution.unwrap_or(&none);
        let width = step.target.width.map_or(1.0, |width| width.get());
        let input = step.facts.shape;
        let program = program.as_deref();
        let program = program.map(|command| Program::start(command, victim, width, input));
        Ok(Self {
            network,
            program: program.transpose()?,
            transport: *transport,
            benign: execution.is_some(),
        })
    }

    /// The network, which answers unless a program does.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether only the execution differs from the target.
    pub fn is_benign(&self) -> bool {
        self.benign
    }

    /// Who answers, if another engine does.
    pub fn engine(&self) -> Option<&str> {
        self.program.as_ref().map(|program| program.engine.as_str())
    }

    /// The top-1 accuracy on all of `split`.
    ///
    /// # Errors
    /// If the model does not answer.
    pub fn accuracy(&self, split: &Split) -> anyhow::Result<Rate> {
        if !self.benign {
            return Ok(images::accuracy(&self.network, split)?);
        }
        let (mut hits, of) = (0, split.len());
        for batch in (0..of).collect::<Vec<_>>().chunks(BATCH) {
            let images = Images::new(split.shape(), split.images(batch))?;
            let space = brink_verify::LabelSpace::Classes;
            let labels = brink_verify::labels(self, &images, space, None)?;
            let right = labels.iter().zip(split.labels(batch));
            hits += right.filter(|(found, label)| **found == *label).count();
        }
        Ok(Rate::new(hits as u64, of as u64))
    }
}

impl Oracle for Deployed {
    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let sent;
        let images = match self.transport {
            Transport::Float32 => images,
            transport => {
                let mut pixels = images.data().to_vec();
                transport.send(&mut pixels, images.shape())?;
                sent = Images::new(images.shape(), pixels)?;
                &sent
            }
        };
        match &self.program {
            Some(program) => program.logits(images),
            None => BlackBox(&self.network).logits(images),
        }
    }
}
