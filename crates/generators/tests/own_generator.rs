//! A worked example: a generator of one's own. In the crate it would be the first half of this, as a file `src/gray.rs`, and one line in the
//! registry: `"gray" gray::Gray, "uniform gray images, the simplest samples there are";`.

use candle_core::{D, Device, Tensor};
use generators::{Context, Generated, Generator, Stop};
use models::{Job, Model, Network, Result, Status, Weights};
use serde::{Deserialize, Serialize};
use spec::Stream;
use spec::checked::Count;
use verify::{
    Images, LabelSpace, Layout, Oracle, OracleError, Pairing, SecretKey, SensitiveSet, verify,
};

/// Uniform gray images: the simplest samples there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gray {
    /// Number of samples, from black to white.
    pub samples: Count,
}

impl Default for Gray {
    fn default() -> Self {
        Self {
            samples: Count::literal(16),
        }
    }
}

impl Generator for Gray {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        Ok(Box::new(Graying {
            samples: self.samples.get(),
            context,
        }))
    }

    /// One sample cannot be paired: refused before there is any work.
    fn fits(&self, _: usize, _: usize) -> Result<()> {
        generators::pairable("gray", self.samples.get())
    }

    /// There is no chance in it: a grid makes one set, whatever its `sample_sets`.
    fn is_random(&self, _: usize, _: usize) -> bool {
        false
    }
}

/// The job; it is so short that it has no state to save.
struct Graying<'a> {
    samples: usize,
    context: Context<'a>,
}

impl Job for Graying<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        Ok(Status {
            done: 1,
            total: 1,
            finished: true,
            note: String::new(),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let [c, h, w] = self.context.held_out.shape();
        let level = |i: usize| i as f32 / (self.samples - 1).max(1) as f32;
        let pixels: Vec<f32> = (0..self.samples)
            .flat_map(|i| vec![level(i); c * h * w])
            .collect();
        let x = Tensor::from_slice(&pixels, (self.samples, c, h, w), &Device::Cpu)?;
        let labels = self
            .context
            .target
            .logits(&x)?
            .argmax(D::Minus1)?
            .to_vec1()?;
        let set = SensitiveSet {
            images: Images::new([c, h, w], pixels)
                .map_err(|e| models::Error::State(e.to_string()))?,
            labels,
            layout: Layout::Singles,
            label_space: LabelSpace::Classes,
            model_id: self.context.model_id.into(),
            generator: "gray".into(),
            key_check: None,
        };
        Ok(Generated {
            set,
            asked: self.samples,
            uncrossed: 0,
            iterations_cap: 0,
            iterations_used: 0,
            stop: Stop::None,
            margins: vec![],
        })
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
    let network = |seed| {
        let weights = Weights::draw(model, 10, &Stream::new(seed)).unwrap();
        Network::frozen(model, 10, &weights, None).unwrap()
    };
    let (target, other) = (network(1), network(2));
    let held_out = data::open(data::Id::FashionMnist, None).unwrap().test;
    let key = SecretKey::from_passphrase(b"a secret of the test").unwrap();
    let context = Context {
        target: &target,
        model_id: "mine",
        key: &key,
        train: &held_out,
        held_out: &held_out,
        stream: Stream::new(3),
    };
    let set = models::job::run(Gray::default().start(context).unwrap())
        .unwrap()
        .set;

    let pairs = Pairing::of(&set, &mut Stream::new(4)).unwrap();
    assert!(
        verify(&Deployed(other), &set, None, &pairs)
            .unwrap()
            .tampered,
        "another network"
    );
    assert!(
        !verify(&Deployed(target), &set, None, &pairs)
            .unwrap()
            .tampered,
        "the untouched network"
    );
}
