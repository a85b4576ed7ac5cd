//! The paper's method and the other generators on a small trained network: properties that hold for any numbers.

mod bracketed;
mod resume;
mod stage1;
mod stage2;
mod verdict;

use brink_config::checked::{Count, Positive, Samples};
use brink_data::{Id, Split};
use brink_generators::{Context, Dbi, Generated, Generator, Ours, Spec, Stage1, Stage2, balanced};
use brink_models::train::{Trainer, Training};
use brink_models::{Model, Network, Weights, job};
use brink_random::Stream;
use brink_verify::{Images, LabelSpace, Oracle, OracleError, SecretKey};
use candle_core::{Device, Tensor};
use serde_json::json;
use std::sync::LazyLock;

struct Owner {
    target: Network,
    weights: Weights,
    held_out: Split,
    key: SecretKey,
}

/// A ResNet-20 after one epoch on 640 images of embedded Fashion-MNIST.
static OWNER: LazyLock<Owner> = LazyLock::new(|| {
    let data = brink_data::open(Id::FashionMnist, None).unwrap();
    let model: Model = "resnet20".parse().unwrap();
    let stream = Stream::new(1);
    let fresh = Weights::draw(model, 10, &stream.split("weights")).unwrap();
    let training = Training {
        epochs: Count::literal(1),
        ..Training::default()
    };
    let images = data.train.subset(640, &mut stream.split("subset")).unwrap();
    let trainer = Trainer::new(model, 10, &fresh, None, &images, &training, &stream).unwrap();
    let weights = job::run(Box::new(trainer)).unwrap();
    Owner {
        target: Network::frozen(model, 10, &weights, None).unwrap(),
        weights,
        held_out: data.test,
        key: SecretKey::from_passphrase(b"a secret of the test").unwrap(),
    }
});

impl Owner {
    fn context(&self, seed: u64) -> Context<'_> {
        Context {
            target: &self.target,
            weights: &self.weights,
            normalize: None,
            model_id: "target",
            key: &self.key,
            train: &self.held_out,
            held_out: &self.held_out,
            stream: Stream::new(seed),
        }
    }
}

fn stage1(iterations: usize) -> Stage1 {
    Stage1 {
        iterations: Count::new(iterations).unwrap(),
        lr: Positive::literal(1e-2),
        ..Stage1::default()
    }
}

fn ours() -> Ours {
    Ours {
        samples: Samples::literal(6),
        stage1: stage1(60),
        stage2: Stage2 {
            alpha: Positive::literal(1e-4),
            iterations: Count::literal(400),
        },
        ..Ours::default()
    }
}

fn dbi(samples: usize, stage1: Stage1) -> Dbi {
    Dbi {
        samples: Samples::new(samples).unwrap(),
        stage1,
        ..Dbi::default()
    }
}

fn generate(generator: &dyn Generator) -> Generated {
    job::run(generator.start(OWNER.context(7)).unwrap()).unwrap()
}

/// The target as somebody queries it.
struct Deployed(Network);

impl Oracle for Deployed {
    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let [c, h, w] = images.shape();
        let x = Tensor::from_slice(images.data(), (images.len(), c, h, w), &Device::Cpu)?;
        Ok(self.0.logits(&x)?.flatten_all()?.to_vec1()?)
    }
}

#[test]
fn of_the_heads_the_first_that_is_balanced_is_taken() {
    let context = OWNER.context(7);
    let noise = &mut context.stream.split("noise");
    let [c, h, w] = OWNER.held_out.shape();
    let pixels: Vec<f32> = (0..128 * c * h * w).map(|_| noise.normal()).collect();
    let noise = Tensor::from_vec(pixels, (128, c, h, w), &Device::Cpu).unwrap();
    let logits: Vec<Vec<f32>> = OWNER
        .target
        .logits(&noise.clamp(0.0, 1.0).unwrap())
        .unwrap()
        .to_vec2()
        .unwrap();
    let rarer = |name: &str| {
        let head = OWNER.key.head(name, 10);
        let is_second = |row: &&Vec<f32>| {
            let [first, second] = head.logits(row);
            second > first
        };
        let second = logits.iter().filter(is_second).count();
        second.min(128 - second) as f64 / 128.0
    };

    let mut taken = Vec::new();
    for least in [0.01, 0.1, 0.25, 0.4] {
        let name = balanced(&context, least).unwrap();
        assert!(rarer(&name) >= least, "{name}");
        let number = name
            .strip_prefix("target#")
            .map_or(0, |n| n.parse().unwrap());
        for passed in 0..number {
            let passed = match passed {
                0 => "target".to_owned(),
                n => format!("target#{n}"),
            };
            assert!(rarer(&passed) < least, "{passed} was passed over");
        }
        taken.push(number);
    }
    assert!(taken.is_sorted(), "{taken:?}");
    assert!(taken[3] > 0, "the test passes over some: {taken:?}");
}

#[test]
fn either_label_space_works() {
    for space in [LabelSpace::Head, LabelSpace::Classes] {
        let dbi = Dbi {
            label_space: space,
            ..dbi(3, stage1(5))
        };
        let set = generate(&dbi).set;
        assert_eq!(set.label_space, space);
        assert_eq!(set.key_check.is_some(), space == LabelSpace::Head);
        set.check().unwrap();
    }
}

#[test]
fn every_generator_makes_sets_of_the_layout_that_it_announces() {
    for entry in brink_generators::REGISTRY {
        let mut fields = (entry.defaults)();
        let few = [
            ("/samples", json!(3)),
            ("/iterations", json!(2)),
            ("/stage1/iterations", json!(2)),
            ("/stage2/alpha", json!(1e-2)),
        ];
        for (path, value) in few {
            if let Some(field) = fields.pointer_mut(path) {
                *field = value;
            }
        }
        let spec: Spec = serde_json::from_value(json!({ entry.name: fields })).unwrap();
        let generator = spec.generator();
        let set = generate(generator).set;
        assert_eq!(set.layout, generator.layout(), "{}", entry.name);
    }
}

#[test]
fn an_entry_without_fields_has_the_defaults_of_the_registry() {
    for entry in brink_generators::REGISTRY {
        let empty = json!({ entry.name: {} });
        let spec: Spec = serde_json::from_value(empty).unwrap();
        let defaults = json!({ entry.name: (entry.defaults)() });
        assert_eq!(serde_json::to_value(spec).unwrap(), defaults);
        let paper = ["validset", "dbi", "aid", "ours"];
        if paper.contains(&entry.name) {
            assert_eq!((entry.defaults)()["samples"], 150, "the paper's number");
        }
    }
}

#[test]
fn sensitive_samples_are_chosen_among_candidates() {
    let spec = |samples: usize, candidates: Option<usize>| -> Spec {
        let mut fields = json!({"samples": samples, "iterations": 5});
        if let Some(candidates) = candidates {
            fields["candidates"] = candidates.into();
        }
        serde_json::from_value(json!({"sensitive-samples": fields})).unwrap()
    };
    let all = generate(spec(12, None).generator()).set;
    let few = generate(spec(3, Some(4)).generator());
    assert_eq!((few.asked, few.set.images.len()), (3, 3));
    let place = |nth: usize| {
        let image = few.set.images.image(nth);
        (0..12).find(|&at| all.images.image(at) == image)
    };
    let places: Vec<_> = (0..3)
        .map(|nth| place(nth).expect("it is a candidate"))
        .collect();
    for (nth, place) in places.iter().enumerate() {
        assert_eq!(few.set.labels[nth], all.labels[*place]);
    }
    assert_ne!(places, [0, 1, 2], "they were chosen");

    // More candidates than images.
    let have = OWNER.held_out.len();
    let error = spec(have / 2, Some(3))
        .generator()
        .fits(have, have)
        .unwrap_err()
        .to_string();
    assert!(error.contains("lower `candidates`"), "{error}");
}
