//! The work that is timed, as the product does it: what `cargo bench` and the comparison with PyTorch (`scripts/peers`) share.

use brink_config::checked::Samples;
use brink_data::Split;
use brink_generators::{Context, probe};
use brink_models::optim::Rule;
use brink_models::{BatchNormMode, Learner, Model, Network, Trainable, Weights};
use brink_random::Stream;
use brink_verify::SecretKey;

/// Number of classes of every network.
pub const CLASSES: usize = 10;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One iteration of stage 1: forward, loss on the keyed head, gradient of the pixels, step, clamp.
    Ours,
    /// The same without the outputs' magnitude.
    Dbi,
    /// The same with AID's activation term as released: a number.
    Aid,
    /// The same with the activation term in the backward pass.
    AidAttached,
    /// One training step: forward with batch statistics, cross entropy, all gradients, SGD with Nesterov momentum and weight decay.
    Train,
    /// Logits without gradients.
    Query,
}

/// A network, and random images to work on.
pub struct Bench {
    pub model: Model,
    pub weights: Weights,
    pub network: Network,
    pub images: Split,
}

impl Bench {
    /// `images` random images of `size` by `size` pixels.
    pub fn new(model: Model, weights: Weights, images: usize, size: usize) -> Self {
        let mut stream = Stream::new(1).split("images");
        let pixels = (0..images * 3 * size * size)
            .map(|_| (stream.uniform() * 256.0) as u8)
            .collect();
        let labels = (0..images).map(|i| (i % CLASSES) as u16).collect();
        Self {
            network: Network::frozen(model, CLASSES, &weights, None).expect("the weights fit"),
            images: Split::new([3, size, size], pixels, labels),
            model,
            weights,
        }
    }

    /// Random weights.
    pub fn draw(model: Model) -> Weights {
        Weights::draw(model, CLASSES, &Stream::new(0).split("weights")).expect("known shapes")
    }

    /// Calls `timed` with what does one repetition.
    pub fn run<R>(&self, work: Work, timed: impl FnOnce(&mut dyn FnMut()) -> R) -> R {
        let wanted = match work {
            Work::Ours => ("ours", ""),
            Work::Dbi => ("dbi", ""),
            Work::Aid => ("aid", ""),
            Work::AidAttached => ("aid", "coverage attached"),
            Work::Train => return timed(&mut self.training()),
            Work::Query => return timed(&mut self.queries()),
        };
        let samples = Samples::new(self.images.len()).expect("some images");
        let generator = probe::timed_generators(samples)
            .into_iter()
            .find(|one| (one.generator, one.variant) == wanted)
            .expect("Table V has them all");
        let key = SecretKey::from_passphrase(b"a key for benchmarks").expect("long enough");
        let context = Context {
            target: &self.network,
            weights: &self.weights,
            normalize: None,
            model_id: "bench",
            key: &key,
            train: &self.images,
            held_out: &self.images,
            stream: Stream::new(2),
        };
        let generator = generator.spec.generator();
        let mut job = generator.start(context).expect("the settings fit");
        timed(&mut || {
            job.advance().expect("the loss is finite");
        })
    }

    fn training(&self) -> impl FnMut() + '_ {
        let network = Trainable::new(self.model, CLASSES, &self.weights, None).expect("they fit");
        let rule = Rule::Sgd {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
        };
        let mut learner = Learner::new(network, rule, usize::MAX).expect("memory");
        let all: Vec<usize> = (0..self.images.len()).collect();
        move || {
            let pixels = (self.images.images(&all), self.images.shape());
            learner
                .step(pixels, self.images.labels(&all), BatchNormMode::Train, 1e-4)
                .expect("the loss is finite");
        }
    }

    /// As accuracies are measured.
    fn queries(&self) -> impl FnMut() + '_ {
        let all: Vec<usize> = (0..self.images.len()).collect();
        move || {
            brink_models::accuracy(&self.network, &self.images, &all).expect("the images fit");
        }
    }
}
