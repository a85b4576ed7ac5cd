//! Random held-out images, the paper's `Validset` column: what a tester without a method would send.

use crate::head::Outputs;
use crate::ours::images;
use crate::pixels::{enough, pairable};
use crate::{Context, Generated, Generator, Stop};
use candle_core::{Device, Tensor};
use models::{Job, Result, Status};
use serde::{Deserialize, Serialize};
use spec::checked::Count;
use verify::{LabelSpace, Layout, SensitiveSet};

/// Random held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validset {
    /// Number of images.
    pub samples: Count,
    /// The model's own classes, or the keyed head's two labels.
    pub label_space: LabelSpace,
}

impl Default for Validset {
    fn default() -> Self {
        Self {
            samples: Count::literal(150),
            label_space: LabelSpace::Classes,
        }
    }
}

impl Generator for Validset {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(context.train.len(), context.held_out.len())?;
        Ok(Box::new(Draw {
            samples: self.samples.get(),
            space: self.label_space,
            context,
        }))
    }

    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        pairable("validset", self.samples.get())?;
        enough("validset", self.samples.get(), held_out, "held out")
    }

    fn is_random(&self, _: usize, held_out: usize) -> bool {
        self.samples.get() < held_out
    }
}

/// One step, so it has no state to save.
struct Draw<'a> {
    samples: usize,
    space: LabelSpace,
    context: Context<'a>,
}

impl Job for Draw<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        Ok(Status {
            done: 1,
            total: 1,
            finished: true,
            note: format!("{} held-out images", self.samples),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let Context {
            target,
            model_id,
            key,
            held_out,
            stream,
            ..
        } = &self.context;
        let chosen = stream
            .split("held-out")
            .choose(held_out.len(), self.samples);
        let [c, h, w] = held_out.shape();
        let pixels = held_out.images(&chosen);
        let x = Tensor::from_slice(&pixels, (chosen.len(), c, h, w), &Device::Cpu)?
            .to_device(target.device())?;
        let judged = Outputs::new(self.space, key, model_id, target)?.judge(&target.logits(&x)?)?;
        let set = SensitiveSet {
            images: images([c, h, w], pixels)?,
            labels: judged.iter().map(|(label, _)| *label).collect(),
            layout: Layout::Singles,
            label_space: self.space,
            model_id: (*model_id).into(),
            generator: "validset".into(),
            key_check: (self.space == LabelSpace::Head).then(|| key.check(model_id)),
        };
        let margins = judged.iter().map(|(_, margin)| margin.abs()).collect();
        Ok(Generated {
            set,
            asked: self.samples,
            uncrossed: 0,
            iterations_cap: 0,
            iterations_used: 0,
            stop: Stop::None,
            margins,
        })
    }
}
