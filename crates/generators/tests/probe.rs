//! Probes and the originals on a random network: what comes out has its shape, and work that was stopped ends with the same bits.

use data::Split;
use generators::probe::{Convergence, Dispersion, Measured, Probe, Timing};
use generators::{AidOriginal, Context, Generated, Generator};
use models::{Job, Model, Network, Weights, job};
use spec::Stream;
use spec::checked::Count;
use verify::{LabelSpace, SecretKey};

struct Owner {
    target: Network,
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

const FEW: Count = Count::literal(5);

#[test]
fn times_are_of_every_generator_and_repetition() {
    let owner = Owner::new();
    let timing = Timing {
        samples: FEW,
        iterations: Count::literal(23),
        repetitions: Count::literal(2),
    };
    let start = || timing.start(owner.context()).unwrap();
    for measured in [job::run(start()).unwrap(), interrupted(start, 1)] {
        let Measured::Timing(all) = measured else {
            panic!("{measured:?}")
        };
        let names: Vec<_> = all.iter().map(|one| (one.generator, one.variant)).collect();
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

#[test]
fn outputs_come_together() {
    let owner = Owner::new();
    let spread = |iterations| {
        let dispersion = Dispersion {
            samples: FEW,
            iterations: Count::new(iterations).unwrap(),
            lr: spec::checked::Positive::literal(1e-2),
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
fn looks_are_of_both_generators_up_to_the_end() {
    let owner = Owner::new();
    let convergence = Convergence {
        samples: FEW,
        iterations: Count::literal(30),
        ..Convergence::default()
    };
    let start = || convergence.start(owner.context()).unwrap();
    let whole = job::run(start()).unwrap();
    assert_eq!(whole, interrupted(start, 7));
    let Measured::Convergence(looks) = whole else {
        panic!("{whole:?}")
    };
    for generator in ["dbi", "ours"] {
        let of = looks.iter().filter(|look| look.generator == generator);
        let iterations: Vec<_> = of.clone().map(|look| look.iteration).collect();
        assert_eq!(iterations, [1, 2, 4, 5, 8, 10, 13, 16, 20, 25, 30]);
        assert!(of.clone().all(|look| look.outputs >= look.margin));
    }
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
        lr: spec::checked::Positive::literal(1e-2),
        ..AidOriginal::default()
    };
    let long = aid(40);
    let start = || long.start(owner.context()).unwrap();
    let whole = job::run(start()).unwrap();
    assert_eq!(bits(&whole), bits(&interrupted(start, 7)));
    whole.set.check().unwrap();
    assert_eq!(whole.set.label_space, LabelSpace::Classes);
    let short = job::run(aid(1).start(owner.context()).unwrap()).unwrap();
    let mean = |made: &Generated| made.margins.iter().sum::<f32>();
    assert!(mean(&whole) < mean(&short), "no nearer to the boundary");
}
