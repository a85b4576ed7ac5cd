//! Sensitive-sample generators, one file each.
//!
//! A generator starts a [`Job`] on a frozen target; the job ends with a [`Generated`] set. To add one, write a file with a
//! type that implements [`Generator`] and add its line to the registry below.

mod ascent;
mod asked;
mod balance;
mod best;
mod black_box;
mod boundary_descent;
mod cover;
mod crossing;
mod descent;
mod outputs;
mod pixel_optimizer;
mod pixels;
pub mod probe;
mod require;
mod stage1;
mod stage1_job;
mod start;
mod variance;

pub use asked::Asked;
pub use balance::balanced;
pub use black_box::BlackBox;
pub use bracketed::PixelValues;
pub use brink_verify::Stop;
pub use crossing::Stage2;
pub use dbi_original::TrainingImages;
pub use pixel_optimizer::PixelUpdate;
pub use require::require_pairs;
pub use stage1::{Reduction, Stage1};
pub use start::Start;

use brink_data::Split;
use brink_models::{Job, Need, Network, Normalize, Result, Weights};
use brink_random::Stream;
use brink_verify::{LabelSpace, Layout, SecretKey, SensitiveSet};
use candle_core::Tensor;

/// The inputs of a generator.
#[derive(Clone)]
pub struct Context<'a> {
    /// The model to protect, frozen.
    pub target: &'a Network,
    /// Its weights.
    pub weights: &'a Weights,
    /// Its input normalisation.
    pub normalize: Option<Normalize>,
    /// Its name in the sensitive set. The head follows from this name and the key.
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

/// Makes sensitive samples for one target.
pub trait Generator {
    /// Starts the work.
    ///
    /// # Errors
    /// If the settings do not fit the target.
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>>;

    /// Checks, before there is a target, that about `train` training images and `held_out` held-out images are enough. Single samples
    /// must also be enough for pairs ([`require_pairs`]).
    ///
    /// # Errors
    /// If they are too few.
    fn fits(&self, _train: usize, _held_out: usize) -> Result<()> {
        Ok(())
    }

    /// Whether two sets of one target differ, for the numbers of images of [`Generator::fits`]. If they are equal, a grid makes only one,
    /// whatever its `sample_sets`: equal sets would count the same answers several times.
    fn is_random(&self, _train: usize, _held_out: usize) -> bool {
        true
    }

    /// What it needs of its target. Whoever only asks says [`Need::ANSWERS`], and then protects any model.
    fn needs(&self) -> Need {
        Need::GRADIENTS
    }

    /// Whether the set holds pairs, with one member on each side of the boundary, or single samples.
    fn layout(&self) -> Layout {
        Layout::Singles
    }
}

/// A sensitive set and how it was made.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The samples with their reference labels.
    pub set: SensitiveSet,
    /// Requested samples.
    pub asked: usize,
    /// Initial samples that never crossed the boundary; 0 for single samples.
    pub uncrossed: usize,
    /// The limit on stage-1 iterations; 0 if the generator has no stage 1.
    pub iterations_cap: usize,
    /// Stage-1 iterations done.
    pub iterations_used: usize,
    /// Why stage 1 ended.
    pub stop: Stop,
    /// |margin| of each sample at the end of stage 1, in the label space of the set.
    pub margins: Vec<f32>,
    /// Images that the target was asked, if the generator only asks.
    pub queries: Option<u64>,
}

impl Generated {
    /// Single samples `x (n, c, h, w)` with pixels in [0, 1]. The target labels them in `space`, in the verifier's own arithmetic.
    /// The generator fills in the fields about stage 1.
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
        let judged =
            outputs::Outputs::new(space, key, model_id, target)?.judge(&target.logits(x)?)?;
        let set = SensitiveSet {
            images: pixels::images(x)?,
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
            queries: None,
        })
    }
}

brink_config::registry! {
    Generator as generator;
    "validset" validset::Validset, "Validset", "random held-out images, the baseline that any method must beat";
    "dbi" dbi::Dbi, "DBI", "decision-boundary images as released with the paper: noise moved to where all outputs are equal";
    "aid" aid::Aid, "AID", "DBI with AID's activation term: as released with the paper (without the term's gradient), or attached";
    "aid-original" aid_original::AidOriginal, "AID original", "AID's edge points as in its authors' code: equal logits, few negative units, no key";
    "dbi-original" dbi_original::DbiOriginal, "DBI original", "decision-boundary images as in DBI's own paper: training images moved by sign steps to equal probabilities, no key";
    "ours" ours::Ours, "Ours", "the paper's method: noise moved to the keyed head's boundary, then pairs on either side of it";
    "sensitive-samples" sensitive_samples::SensitiveSamples, "Sensitive samples", "natural images moved to where the outputs depend most on the last layer's weights (CVPR 2019), no key";
    "ibsf" ibsf::Ibsf, "IBSF", "training images moved to where several classes are about equally likely (ICML 2024), no key";
    "bracketed" bracketed::Bracketed, "Bracketed", "pairs of images bisected to the boundary, from answers alone: no gradient, no key";
}
