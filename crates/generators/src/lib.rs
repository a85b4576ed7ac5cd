//! Sensitive-sample generators, one file each.
//!
//! A generator starts a [`Job`] on a frozen target; the job ends with a [`Generated`] set. To add one, write a file with a
//! type that implements [`Generator`] and add its line to the registry below.

mod approach;
mod crossing;
mod descent;
mod head;
mod pixels;
pub mod probe;

pub use approach::{Reduction, Stage1};
pub use crossing::Stage2;
pub use dbi_original::TrainingImages;
pub use head::balanced;
pub use pixels::{PixelOptimizer, Start, pairable};

use candle_core::Tensor;
use data::Split;
use models::{Job, Network, Result};
use spec::Stream;
use verify::{LabelSpace, Layout, SecretKey, SensitiveSet};

/// What a generator may use.
#[derive(Clone)]
pub struct Context<'a> {
    /// The model to protect, frozen.
    pub target: &'a Network,
    /// Its name in the sensitive set, from which (with the key) the head is derived.
    pub model_id: &'a str,
    /// The owner's secret.
    pub key: &'a SecretKey,
    /// Images that the target was trained on.
    pub train: &'a Split,
    /// Images that it was not trained on.
    pub held_out: &'a Split,
    /// The only source of randomness.
    pub stream: Stream,
}

/// Makes sensitive samples of one target.
pub trait Generator {
    /// Starts the work.
    ///
    /// # Errors
    /// If the settings do not fit the target.
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>>;

    /// Whether there are enough images, about so many that the target was trained on and so many held out, and of single samples enough to be
    /// paired ([`pairable`]): what can be told before there is a target.
    ///
    /// # Errors
    /// If there are not.
    fn fits(&self, _train: usize, _held_out: usize) -> Result<()> {
        Ok(())
    }

    /// Whether two sets of one target differ, with as many images as in [`Generator::fits`]. If not, a grid makes one, whatever its
    /// `sample_sets`: equal sets would count the same answers several times.
    fn is_random(&self, _train: usize, _held_out: usize) -> bool {
        true
    }

    /// Whether the set is of pairs, one member on either side of the boundary, or of single samples.
    fn layout(&self) -> Layout {
        Layout::Singles
    }
}

/// A sensitive set and how it came to be.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The samples with their reference labels.
    pub set: SensitiveSet,
    /// Samples asked for.
    pub asked: usize,
    /// Where the set is of pairs, the starting points that never crossed the boundary.
    pub uncrossed: usize,
    /// The most stage-1 iterations allowed; 0 if the generator has no stage 1.
    pub iterations_cap: usize,
    /// Stage-1 iterations done.
    pub iterations_used: usize,
    /// Why stage 1 ended.
    pub stop: Stop,
    /// |margin| of each sample at the end of stage 1, in the label space of the set.
    pub margins: Vec<f32>,
}

impl Generated {
    /// Single samples `x (n, c, h, w)`, pixels in [0, 1], with the labels that the target gives them: in `space`, by the verifier's own
    /// arithmetic. What came before, if anything, is for the generator to fill in.
    ///
    /// # Errors
    /// If a pixel is out of range, or an output of the target is not finite.
    pub fn singles(
        generator: &'static str,
        context: &Context<'_>,
        space: LabelSpace,
        x: &Tensor,
    ) -> Result<Self> {
        let Context {
            target,
            model_id,
            key,
            ..
        } = context;
        let judged = head::Outputs::new(space, key, model_id, target)?.judge(&target.logits(x)?)?;
        let set = SensitiveSet {
            images: pixels::images(generator, x)?,
            labels: judged.iter().map(|(label, _)| *label).collect(),
            layout: Layout::Singles,
            label_space: space,
            classes: target.classes(),
            model_id: (*model_id).to_owned(),
            generator: generator.to_owned(),
            key_check: (space == LabelSpace::Head).then(|| key.check(model_id)),
        };
        Ok(Self {
            asked: set.images.len(),
            set,
            uncrossed: 0,
            iterations_cap: 0,
            iterations_used: 0,
            stop: Stop::None,
            margins: judged.iter().map(|(_, margin)| margin.abs()).collect(),
        })
    }
}

/// Why stage 1 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There is no stage 1.
    None,
    /// The loss stood still.
    Converged,
    /// The most iterations allowed were done.
    Cap,
}

spec::registry! {
    Generator as generator;
    "validset" validset::Validset, "random held-out images, the baseline that any method must beat";
    "dbi" dbi::Dbi, "decision-boundary images as released with the paper: noise moved to where all outputs are equal";
    "aid" aid::Aid, "DBI with AID's activation term, as released with the paper (the term has no gradient) or attached";
    "aid-original" aid_original::AidOriginal, "AID's edge points as in its authors' code: all logits equal, few units negative, no key";
    "dbi-original" dbi_original::DbiOriginal, "decision-boundary images as in DBI's own paper: training images moved by sign steps to equal probabilities, no key";
    "ours" ours::Ours, "the paper's method: noise moved to the keyed head's boundary, then pairs on either side of it";
}
