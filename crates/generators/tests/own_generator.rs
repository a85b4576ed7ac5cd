//! A worked example of a new generator. In the crate, the first half of this file would be `src/gray.rs`, with `crate` for `generators`, and the
//! registry would have one more line: `"gray" gray::Gray, "Gray", "uniform gray images, the simplest samples";`.

use brink_config::checked::Samples;
use brink_generators::{Context, Generated, Generator};
use brink_models::{Job, Model, Need, Network, Result, Weights, once};
use brink_random::Stream;
use brink_verify::{Finding, Images, LabelSpace, Oracle, OracleError, SecretKey, verify};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Uniform gray images: the simplest samples there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gray {
    /// Number of samples, from black to white.
    pub samples: Samples,
}

impl Default for Gray {
    fn default() -> Self {
        Self {
            samples: Samples::literal(16),
        }
    }
}

impl Generator for Gray {
    /// One step, so there is no state to save. What takes longer is a [`Job`] of its own, which saves and resumes.
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        let samples = self.samples.get();
        self.fits(context.train.len(), context.held_out.len())?;
        Ok(once(move || {
            let [c, h, w] = context.held_out.shape();
            let last = samples as f32 - 1.0;
            let pixels = (0..samples).flat_map(|i| vec![i as f32 / last; c * h * w]);
            let pixels: Vec<f32> = pixels.collect();
            let x = Tensor::from_vec(pixels, (samples, c, h, w), &Device::Cpu)?
                .to_device(context.target.device())?;
            // With the labels that the target gives them, by its own classes.
            Generated::singles("gray", &context, LabelSpace::Classes, &x)
        }))
    }

    /// One sample cannot be paired: refused before there is any work.
    fn fits(&self, _: usize, _: usize) -> Result<()> {
        brink_generators::require_pairs(self.samples.get())
    }

    /// It only asks the target.
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    /// There is no chance in it: a grid makes one set, whatever its `sample_sets`.
    fn is_random(&self, _: usize, _: usize) -> bool {
        false
    }
}

/// A deployed model, asked in one batch.
struct Deployed(Network);

impl Oracle for Deployed {
    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&self, images: &Images) -> std::result::Result<Vec<f32>, OracleError> {
        let [c, h, w] = images.shape();
        let x = Tensor::from_slice(images.data(), (images.len(), c, h, w), &Device::Cpu)?;
        Ok(self.0.logits(&x)?.flatten_all()?.to_vec1()?)
    }
}

#[test]
fn a_generator_of_ones_own() {
    let model: Model = "resnet20".parse().unwrap();
    let weights = |seed| Weights::draw(model, 10, &Stream::new(seed)).unwrap();
    let network = |seed| Network::frozen(model, 10, &weights(seed), None).unwrap();
    let (target, other) = (network(1), network(2));
    let own = weights(1);
    let held_out = brink_data::open(brink_data::Id::FashionMnist, None)
        .unwrap()
        .test;
    let key = SecretKey::from_passphrase(b"a secret of the test").unwrap();
    let context = Context {
        target: &target,
        weights: &own,
        normalize: None,
        model_id: "mine",
        key: &key,
        train: &held_out,
        held_out: &held_out,
        stream: Stream::new(3),
    };
    let set = brink_models::job::run(Gray::default().start(context).unwrap())
        .unwrap()
        .set;

    let ask = |network| verify(&Deployed(network), &set, None).unwrap();
    assert_eq!(ask(other).finding, Finding::Changed);
    assert_eq!(ask(target).single.hits(), 0, "the untouched network");
}
