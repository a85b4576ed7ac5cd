//! Probes and the original generators on a random network: results have the right form, and interrupted work ends with the same bits.

use brink_config::checked::{Count, Repeats, Samples};
use brink_data::Split;
use brink_generators::probe::{Convergence, Dispersion, Measured, Probe, Timing};
use brink_generators::{AidOriginal, Context, DbiOriginal, Generated, Generator, Spec};
use brink_models::{Job, Model, Network, Weights, job};
use brink_random::Stream;
use brink_verify::{LabelSpace, SecretKey};
use candle_core::{Device, Tensor};

struct Owner {
    target: Network,
    weights: Weights,
    images: Split,
    key: SecretKey,
}

impl Owner {
    fn new() -> Self {
        let model: Model = "resnet20".parse().unwrap();
        let weights = Weights::draw(model, 10, &Stream::new(1)).unwrap();
        let mut random = Stream::new(2);
        let pixels = (0..12 * 3 * 8 * 8).map(|_| random.next_u32() as u8);
        Self {
            target: Network::frozen(model, 10, &weights, None).unwrap(),
            weights,
            images: Split::new(
                [3, 8, 8],
                pixels.collect(),
                (0..12).map(|i| i % 10).collect(),
            ),
            key: SecretKey::from_passphrase(b"a secret of the test").unwrap(),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            target: &self.target,
            weights: &self.weights,
            normalize: None,
            model_id: "target",
            key: &self.key,
            train: &self.images,
            held_out: &self.images,
            stream: Stream::new(3),
        }
    }
}

/// The end of a job that is saved after every `every` steps and taken up by a fresh one.
fn interrupted<'a, T>(start: impl Fn() -> Box<dyn Job<Output = T> + 'a>, every: usize) -> T {
    let mut job = start();
    for step in 1.. {
        if job.advance().unwrap().finished {
            break;
        }
        if step % every == 0 {
            let state = job.save().unwrap();
            job = start();
            job.restore(&state).unwrap();
        }
    }
    job.finish().unwrap()
}

const FEW: Samples = Samples::literal(5);

#[test]
fn times_are_of_every_generator_and_repetition() {
    let owner = Owner::new();
    let timing = Timing {
        samples: FEW,
        iterations: Count::literal(23),
        repetitions: Repeats::literal(2),
    };
    let start = || timing.start(owner.context()).unwrap();
    for measured in [job::run(start()).unwrap(), interrupted(start, 1)] {
        let Measured::Timing(all) = measured else {
            panic!("{measured:?}")
        };
        let names: Vec<_> = all
            .iter()
            .map(|one| (one.generator.as_str(), one.variant.as_str()))
            .collect();
        let expected = [
            ("dbi", ""),
            ("aid", ""),
            ("aid", "coverage attached"),
            ("ours", ""),
        ];
        assert_eq!(names, expected);
        for one in &all {
            assert_eq!((one.samples, one.iterations), (5, 23));
            assert_eq!(one.seconds.len(), 2);
            assert!(one.seconds.iter().all(|&seconds| seconds > 0.0), "{one:?}");
        }
    }
}

/// The largest numbers that a grid may ask for. Their products are counted, too.
#[test]
fn the_longest_of_jobs_begins() {
    let owner = Owner::new();
    let (samples, most) = (FEW, Count::literal(1_000_000_000));
    let probes: [(Box<dyn Probe>, usize); 3] = [
        (
            Box::new(Timing {
                samples,
                iterations: most,
                repetitions: Repeats::literal(1000),
            }),
            1_000_000_000_000,
        ),
        (
            Box::new(Dispersion {
                samples,
                iterations: most,
                ..Dispersion::default()
            }),
            2_000_000_000,
        ),
        (
            Box::new(Convergence {
                samples,
                iterations: most,
                ..Convergence::default()
            }),
            2_000_000_000,
        ),
    ];
    for (probe, total) in &probes {
        let mut job = probe.start(owner.context()).unwrap();
        let status = job.advance().unwrap();
        assert_eq!(status.total, *total);
        assert!(!status.finished);
    }
}

#[test]
fn outputs_come_together() {
    let owner = Owner::new();
    let spread = |iterations| {
        let dispersion = Dispersion {
            samples: FEW,
            iterations: Count::new(iterations).unwrap(),
            lr: brink_config::checked::Positive::literal(1e-2),
            ..Dispersion::default()
        };
        let start = || dispersion.start(owner.context()).unwrap();
        let whole = job::run(start()).unwrap();
        assert_eq!(whole, interrupted(start, 7));
        let Measured::Dispersion(all) = whole else {
            panic!("{whole:?}")
        };
        assert_eq!(all[0].label_space, LabelSpace::Classes);
        assert_eq!(
            all.iter().map(|one| one.outputs).collect::<Vec<_>>(),
            [10, 2]
        );
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        [mean(&all[0].deviations), mean(&all[1].deviations)]
    };
    let (early, late) = (spread(1), spread(60));
    assert!(
        late[0] < early[0] && late[1] < early[1],
        "{early:?} {late:?}"
    );
}

#[test]
fn points_are_of_both_generators_up_to_the_end() {
    let owner = Owner::new();
    let convergence = Convergence {
        samples: FEW,
        iterations: Count::literal(30),
        ..Convergence::default()
    };
    let start = || convergence.start(owner.context()).unwrap();
    let whole = job::run(start()).unwrap();
    assert_eq!(whole, interrupted(start, 7));
    let Measured::Convergence(points) = whole else {
        panic!("{whole:?}")
    };
    for generator in ["dbi", "ours"] {
        let of = points.iter().filter(|point| point.generator == generator);
        let iterations: Vec<_> = of.clone().map(|point| point.iteration).collect();
        assert_eq!(iterations, [1, 2, 4, 5, 8, 10, 13, 16, 20, 25, 30]);
        assert!(of.clone().all(|point| point.outputs >= point.margin));
    }
}

/// Eq. 6 for two outputs: `100 var(o) - |o1| - |o2|` is `50 margin^2` without the sum of the outputs' sizes, which DBI does not have.
#[test]
fn the_loss_is_that_of_the_paper() {
    let owner = Owner::new();
    let convergence = Convergence {
        samples: Samples::literal(1),
        iterations: Count::literal(5),
        ..Convergence::default()
    };
    let measured = job::run(convergence.start(owner.context()).unwrap()).unwrap();
    let Measured::Convergence(points) = measured else {
        panic!("{measured:?}")
    };
    for (generator, magnitude) in [("dbi", 0.0), ("ours", 1.0)] {
        let of: Vec<_> = points
            .iter()
            .filter(|point| point.generator == generator)
            .collect();
        // The loss at iteration 2 is that of the sample after iteration 1; 5 and 4 likewise.
        for (before, after) in [(of[0], of[1]), (of[2], of[3])] {
            assert_eq!(before.iteration + 1, after.iteration);
            let expected = 50.0 * before.margin * before.margin - magnitude * before.outputs;
            let scale = 50.0 * before.margin * before.margin + before.outputs;
            assert!(
                (after.loss - expected).abs() < 1e-5 * scale,
                "{generator}: {} {expected}",
                after.loss
            );
        }
        assert!(of[0].outputs > 0.01, "too small to tell a sign");
    }
}

/// A step of 1e-30 leaves a pixel where it was.
#[test]
fn dbi_of_its_authors_starts_from_training_images() {
    let owner = Owner::new();
    let made = |start| {
        let fields =
            serde_json::json!({"samples": 5, "start": start, "step": 1e-30, "iterations": 1});
        let spec = serde_json::json!({ "dbi-original": fields });
        let spec: Spec = serde_json::from_value(spec).unwrap();
        let dbi = spec.generator();
        assert_eq!(dbi.is_random(12, 12), start == "random");
        // All images are the same set in any order.
        assert!(!dbi.is_random(5, 12));
        job::run(dbi.start(owner.context()).unwrap()).unwrap().set
    };
    let first = owner.images.images(&[0, 1, 2, 3, 4]);
    let starts_there = |start| {
        let set = made(start);
        let mut pixels = set.images.data().iter().zip(&first);
        pixels.all(|(made, first)| (made - first).abs() < 1e-20)
    };
    assert!(starts_there("first") && !starts_there("random"));
}

/// The variance of the probabilities of each image of `(n, 3, 8, 8)`.
fn variances(target: &Network, pixels: &[f32]) -> Vec<f64> {
    let shape = (pixels.len() / (3 * 8 * 8), 3, 8, 8);
    let x = Tensor::from_slice(pixels, shape, &Device::Cpu).unwrap();
    let logits: Vec<Vec<f32>> = target.logits(&x).unwrap().to_vec2().unwrap();
    let variance = |row: &Vec<f32>| {
        let top = row.iter().fold(f32::MIN, |a, b| a.max(*b));
        let powers: Vec<f64> = row.iter().map(|z| f64::from(z - top).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let mean = 1.0 / row.len() as f64;
        let squares = powers.iter().map(|p| (p / sum - mean).powi(2));
        squares.sum::<f64>() / (row.len() - 1) as f64
    };
    logits.iter().map(variance).collect()
}

#[test]
fn dbi_of_its_authors_steps_against_the_sign_of_the_gradient_of_the_probabilities() {
    let owner = Owner::new();
    let after = |iterations| {
        let dbi = DbiOriginal {
            samples: FEW,
            step: brink_config::checked::Positive::literal(1e-3),
            iterations: Count::new(iterations).unwrap(),
            ..DbiOriginal::default()
        };
        let set = job::run(dbi.start(owner.context()).unwrap()).unwrap().set;
        assert_eq!(set.label_space, LabelSpace::Classes);
        set.images.data().to_vec()
    };
    let (start, once) = (owner.images.images(&[0, 1, 2, 3, 4]), after(1));
    let size = 3 * 8 * 8;
    let (mut told, mut right) = (0, 0);
    for (image, stepped) in start.chunks(size).zip(once.chunks(size)) {
        let moved = |by: f32| {
            let each = (0..size).flat_map(|pixel| {
                let mut image = image.to_vec();
                image[pixel] += by;
                image
            });
            variances(&owner.target, &each.collect::<Vec<_>>())
        };
        let slopes = moved(1e-2).into_iter().zip(moved(-1e-2));
        let slopes: Vec<f64> = slopes.map(|(above, below)| above - below).collect();
        let largest = slopes.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for ((before, after), slope) in image.iter().zip(stepped).zip(slopes) {
            // At the ends of the range a step may be cut off, and a slope of nearly nothing is not known so well.
            if slope.abs() > 0.1 * largest && (0.01..0.99).contains(before) {
                let step = f64::from(after - before) * -slope.signum();
                told += 1;
                right += usize::from((step - 1e-3).abs() < 1e-6);
            }
        }
    }
    assert!(told > 300 && right * 100 >= told * 99, "{right} of {told}");
    let sum = |pixels: &[f32]| variances(&owner.target, pixels).iter().sum::<f64>();
    let (before, end) = (sum(&start), sum(&after(50)));
    assert!(end < 0.8 * before, "{before} {end}");
}

/// Samples and what is known of them, to the bit.
fn bits(made: &Generated) -> (Vec<u32>, Vec<u32>) {
    let pixels = made.set.images.data().iter().map(|x| x.to_bits());
    (
        pixels.collect(),
        made.margins.iter().map(|x| x.to_bits()).collect(),
    )
}

#[test]
fn edge_points_are_the_best_on_the_way() {
    let owner = Owner::new();
    let aid = |iterations| AidOriginal {
        samples: FEW,
        iterations: Count::new(iterations).unwrap(),
        lr: brink_config::checked::Positive::literal(1e-2),
        ..AidOriginal::default()
    };
    let long = aid(40);
    let start = || long.start(owner.context()).unwrap();
    let whole = job::run(start()).unwrap();
    assert_eq!(bits(&whole), bits(&interrupted(start, 7)));
    whole.set.check().unwrap();
    assert_eq!(whole.set.label_space, LabelSpace::Classes);
    let short = job::run(aid(1).start(owner.context()).unwrap()).unwrap();
    let without = AidOriginal {
        coverage_weight: brink_config::checked::NonNegative::literal(0.0),
        ..long.clone()
    };
    let without = job::run(without.start(owner.context()).unwrap()).unwrap();
    assert_ne!(bits(&whole), bits(&without), "the activation term");
    let mean = |made: &Generated| made.margins.iter().sum::<f32>();
    assert!(mean(&whole) < mean(&short), "no nearer to the boundary");
}
