//! The paper's method and its rivals on a small trained network: what must hold whatever the numbers are.

use attacks::{Attack, Finetune, Victim};
use candle_core::{Device, Tensor};
use data::{Id, Split};
use generators::{
    Context, Dbi, Generated, Generator, Ours, PixelOptimizer, Reduction, Spec, Stage1, Stage2,
    Start, Stop, balanced,
};
use models::train::{Trainer, Training};
use models::{Model, Network, Weights, job};
use serde_json::json;
use spec::Stream;
use spec::checked::{Count, NonNegative, Positive};
use spec::registry::Entry;
use std::sync::LazyLock;
use verify::{
    Images, LabelSpace, Layout, Oracle, OracleError, Pairing, SecretKey, SensitiveSet, verify,
};

struct Owner {
    target: Network,
    weights: Weights,
    held_out: Split,
    key: SecretKey,
}

/// A ResNet-20 after one epoch on 640 images of embedded Fashion-MNIST.
static OWNER: LazyLock<Owner> = LazyLock::new(|| {
    let data = data::open(Id::FashionMnist, None).unwrap();
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
        samples: Count::literal(6),
        stage1: stage1(60),
        stage2: Stage2 {
            alpha: Positive::literal(1e-4),
            iterations: Count::literal(400),
        },
        ..Ours::default()
    }
}

fn generate(generator: &dyn Generator) -> Generated {
    job::run(generator.start(OWNER.context(7)).unwrap()).unwrap()
}

#[test]
fn a_pair_is_two_images_one_step_apart_on_either_side() {
    let Generated {
        set,
        asked,
        uncrossed,
        margins,
        ..
    } = generate(&ours());
    assert_eq!(set.layout, Layout::Pairs);
    assert_eq!(set.samples() + uncrossed, asked);
    assert!(set.samples() > 0, "no sample crossed");
    assert_eq!(margins.len(), asked);
    for pair in 0..set.samples() {
        let (before, after) = (set.images.image(2 * pair), set.images.image(2 * pair + 1));
        assert_ne!(set.labels[2 * pair], set.labels[2 * pair + 1]);
        assert_ne!(before, after);
        for (&a, &b) in before.iter().zip(after) {
            assert!(
                (a - b).abs() <= 1e-4 + f32::EPSILON,
                "{a} and {b} are more than a step apart"
            );
            assert!((0.0..=1.0).contains(&a) && (0.0..=1.0).contains(&b));
        }
    }
}

#[test]
fn stage_1_moves_samples_towards_the_boundary() {
    let mean = |iterations| {
        let dbi = Dbi {
            samples: Count::literal(6),
            stage1: stage1(iterations),
            ..Dbi::default()
        };
        let margins = generate(&dbi).margins;
        margins.iter().sum::<f32>() / margins.len() as f32
    };
    let (early, late) = (mean(1), mean(120));
    assert!(
        late < early / 5.0,
        "mean |margin| went from {early} to {late}"
    );
}

/// AID's term is no part of the loss by which convergence is judged: it has no gradient, and is so large that no change of the rest shows.
#[test]
fn the_released_aid_converges_when_dbi_does() {
    let ends = [(1e-3, 0.03), (1e-2, 0.3)].map(|(lr, tolerance)| {
        let samples = Count::literal(5);
        let stage1 = |lr| Stage1 {
            lr: Positive::new(lr).unwrap(),
            patience: Count::literal(5),
            tolerance: NonNegative::new(tolerance).unwrap(),
            ..stage1(50)
        };
        let dbi = generate(&Dbi {
            samples,
            stage1: stage1(lr),
            ..Dbi::default()
        });
        let aid = generate(&generators::Aid {
            samples,
            stage1: stage1(100.0 * lr),
            ..generators::Aid::default()
        });
        assert_eq!(dbi.stop, aid.stop);
        assert_eq!(dbi.iterations_used, aid.iterations_used);
        dbi.stop
    });
    assert_eq!(ends, [Stop::Cap, Stop::Converged]);
}

#[test]
fn the_released_aid_is_dbi_with_a_hundredth_of_the_gradient() {
    // AID's term is a number without a gradient, and DBI's factor 100 is missing: a hundred times the step makes up for it.
    let samples = Count::literal(5);
    let with_lr = |iterations, lr| Stage1 {
        lr: Positive::new(lr).unwrap(),
        ..stage1(iterations)
    };
    let dbi = |stage1| {
        generate(&Dbi {
            samples,
            stage1,
            ..Dbi::default()
        })
        .set
        .images
    };
    let aid = |stage1| {
        generate(&generators::Aid {
            samples,
            stage1,
            ..generators::Aid::default()
        })
        .set
        .images
    };
    let furthest = |a: &Images, b: &Images| {
        a.data()
            .iter()
            .zip(b.data())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    let start = dbi(with_lr(1, 1e-30));
    for iterations in [1, 2, 20] {
        let (dbi, aid) = (
            dbi(with_lr(iterations, 1e-3)),
            aid(with_lr(iterations, 1e-1)),
        );
        let (moved, apart) = (furthest(&dbi, &start), furthest(&dbi, &aid));
        // Not to the bit: 1e-3 * 100 rounds, and a rounding can put a unit on the other side of its ReLU.
        assert!(
            apart < 0.01 * moved,
            "after {iterations} steps of {moved} in all the two are {apart} apart"
        );
    }
}

#[test]
fn an_attached_coverage_term_has_a_gradient() {
    let aid = |coverage| generators::Aid {
        samples: Count::literal(3),
        stage1: stage1(3),
        coverage,
        ..generators::Aid::default()
    };
    let (released, attached) = (
        generate(&aid(models::Coverage::Detached)),
        generate(&aid(models::Coverage::Attached)),
    );
    assert_ne!(released.set.images, attached.set.images);
}

#[test]
fn a_sum_steps_as_far_as_a_mean_at_as_many_times_the_rate() {
    // By powers of two, so that nothing rounds.
    let aid = |reduction, lr| generators::Aid {
        samples: Count::literal(4),
        coverage: models::Coverage::Attached,
        stage1: Stage1 {
            reduction,
            lr: Positive::new(lr).unwrap(),
            ..stage1(3)
        },
        ..generators::Aid::default()
    };
    let (mean, sum) = (
        generate(&aid(Reduction::Mean, 0.5)),
        generate(&aid(Reduction::Sum, 0.125)),
    );
    assert_eq!(mean.set.images, sum.set.images);
}

#[test]
fn convergence_and_the_cap_are_told_apart() {
    let with_tolerance = |tolerance| Dbi {
        samples: Count::literal(3),
        stage1: Stage1 {
            patience: Count::literal(10),
            tolerance: NonNegative::new(tolerance).unwrap(),
            ..stage1(40)
        },
        ..Dbi::default()
    };
    let capped = generate(&with_tolerance(0.0));
    assert_eq!((capped.stop, capped.iterations_used), (Stop::Cap, 40));
    let converged = generate(&with_tolerance(1e9));
    assert_eq!(
        (converged.stop, converged.iterations_used),
        (Stop::Converged, 20)
    );
}

#[test]
fn samples_that_never_cross_are_counted() {
    let stuck = Ours {
        stage2: Stage2 {
            alpha: Positive::literal(1e-9),
            iterations: Count::literal(1),
        },
        ..ours()
    };
    let Err(error) = job::run(stuck.start(OWNER.context(7)).unwrap()) else {
        panic!("steps of 1e-9 cannot cross");
    };
    assert!(
        error.to_string().contains("none of 6 samples crossed"),
        "{error}"
    );

    // Stopped as soon as one has crossed, those are left that have not by then.
    let mut job = ours().start(OWNER.context(7)).unwrap();
    let (iterations, crossed) = loop {
        let status = job.advance().unwrap();
        let note = status.note.strip_prefix("stage 2, ");
        let crossed = note.and_then(|note| note.strip_suffix(" of 6 crossed"));
        let crossed: usize = crossed.map_or(0, |number| number.parse().unwrap());
        if crossed > 0 {
            break (status.done, crossed);
        }
        assert!(!status.finished, "no sample crossed");
    };
    let stopped = generate(&Ours {
        stage2: Stage2 {
            iterations: Count::new(iterations).unwrap(),
            ..ours().stage2
        },
        ..ours()
    });
    assert_eq!(stopped.set.samples(), crossed);
    assert_eq!(stopped.uncrossed, 6 - crossed);
}

#[test]
fn every_generator_resumes_to_the_same_bits() {
    let quick = serde_json::to_value(ours()).unwrap();
    let small = |entry: &Entry| -> Spec {
        let mut fields = (entry.defaults)();
        for (name, value) in fields.as_object_mut().unwrap() {
            match name.as_str() {
                "samples" => *value = 4.into(),
                "iterations" => *value = 12.into(),
                "stage1" => *value = serde_json::to_value(stage1(12)).unwrap(),
                "stage2" => *value = quick["stage2"].clone(),
                _ => {}
            }
        }
        serde_json::from_value(json!({ entry.name: fields })).unwrap()
    };
    for entry in generators::REGISTRY {
        resumes_to_the_same_bits(small(entry).generator(), entry.name);
    }
}

/// Where stage 1 ends by itself, a resumed job must remember what it saw at the last look.
#[test]
fn a_resumed_job_converges_where_an_undisturbed_one_does() {
    let dbi = Dbi {
        samples: Count::literal(4),
        stage1: Stage1 {
            // As often as it is interrupted: what the last look saw is in every saved state.
            patience: Count::literal(5),
            tolerance: NonNegative::literal(0.25),
            ..stage1(200)
        },
        ..Dbi::default()
    };
    let made = generate(&dbi);
    assert_eq!(made.stop, Stop::Converged);
    assert!(made.iterations_used > 10, "{}", made.iterations_used);
    resumes_to_the_same_bits(&dbi, "dbi");
}

/// Stopped after every few steps, each time taken up by a fresh job.
fn resumes_to_the_same_bits(generator: &dyn Generator, name: &str) -> SensitiveSet {
    let whole = generate(generator);
    let mut job = generator.start(OWNER.context(7)).unwrap();
    'run: loop {
        for _ in 0..5 {
            if job.advance().unwrap().finished {
                break 'run;
            }
        }
        let state = job.save().unwrap();
        job = generator.start(OWNER.context(7)).unwrap();
        job.restore(&state).unwrap();
    }
    let parts = job.finish().unwrap();
    assert!(whole.set == parts.set, "{name}: other samples");
    assert_eq!(whole.margins, parts.margins, "{name}");
    assert_eq!(
        (whole.stop, whole.iterations_used),
        (parts.stop, parts.iterations_used),
        "{name}"
    );
    whole.set
}

/// `ours` with one choice that the paper leaves open made otherwise.
fn choices() -> [(&'static str, Ours); 6] {
    let stage1 = |start, optimizer, lr| Stage1 {
        start,
        optimizer,
        lr: Positive::new(lr).unwrap(),
        ..stage1(30)
    };
    let with = |stage1| Ours { stage1, ..ours() };
    [
        (
            "uniform",
            with(stage1(Start::Uniform, PixelOptimizer::Sgd, 1e-2)),
        ),
        (
            "natural",
            with(stage1(Start::Natural, PixelOptimizer::Sgd, 1e-2)),
        ),
        (
            "sign",
            with(stage1(Start::Normal, PixelOptimizer::Sign, 1e-3)),
        ),
        (
            "adam",
            with(stage1(Start::Normal, PixelOptimizer::Adam, 1e-2)),
        ),
        (
            "cap",
            Ours {
                activation_cap: Some(Positive::literal(1e-2)),
                ..ours()
            },
        ),
        (
            "classes",
            Ours {
                outputs: LabelSpace::Classes,
                // Where all logits are equal is far from the head's boundary.
                stage2: Stage2 {
                    alpha: Positive::literal(1e-3),
                    iterations: Count::literal(1000),
                },
                ..ours()
            },
        ),
    ]
}

#[test]
fn every_open_choice_resumes_to_the_same_bits_and_makes_pairs_of_its_own() {
    let usual = generate(&ours()).set;
    for (name, choice) in choices() {
        let set = resumes_to_the_same_bits(&choice, name);
        assert!(set.images != usual.images, "{name} changes nothing");
        assert_eq!(set.label_space, LabelSpace::Head, "{name}");
        let head = set.head(&OWNER.key, 10).unwrap();
        let target = Network::frozen(OWNER.target.model(), 10, &OWNER.weights, None).unwrap();
        let verdict = verify(&Deployed(target), &set, head.as_ref()).unwrap();
        assert!(!verdict.tampered, "{name}: labels are the verifier's");
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

/// All held-out images are the same set in any order.
#[test]
fn two_sets_differ_where_their_samples_start_apart() {
    let starting = |start| {
        let (samples, stage1) = (Count::literal(6), Stage1 { start, ..stage1(1) });
        let dbi = Dbi {
            samples,
            stage1: stage1.clone(),
            ..Dbi::default()
        };
        let aid = generators::Aid {
            samples,
            stage1: stage1.clone(),
            ..generators::Aid::default()
        };
        let ours = Ours { stage1, ..ours() };
        let all: [Box<dyn Generator>; 3] = [Box::new(dbi), Box::new(aid), Box::new(ours)];
        [6, 7].map(|held_out| all.each_ref().map(|one| one.is_random(100, held_out)))
    };
    assert_eq!(starting(Start::Natural), [[false; 3], [true; 3]]);
    assert_eq!(starting(Start::Normal), [[true; 3]; 2]);
}

#[test]
fn natural_samples_start_from_held_out_images() {
    let set = generate(&Dbi {
        samples: Count::literal(5),
        stage1: Stage1 {
            start: Start::Natural,
            lr: Positive::literal(1e-30),
            ..stage1(1)
        },
        ..Dbi::default()
    })
    .set;
    // A step of 1e-30 shows only where a pixel was 0.
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-20);
    for i in 0..5 {
        assert!(
            (0..OWNER.held_out.len())
                .any(|other| same(&OWNER.held_out.images(&[other]), set.images.image(i))),
            "sample {i} is no held-out image"
        );
    }
}

#[test]
fn a_capped_magnitude_has_no_pull_beyond_its_cap() {
    // All outputs of a trained network are beyond so small a cap: the term is a constant, and what is left is DBI's loss.
    let capped = Ours {
        activation_cap: Some(Positive::literal(1e-6)),
        ..ours()
    };
    let without = Ours {
        activation_weight: NonNegative::literal(0.0),
        ..ours()
    };
    assert_eq!(generate(&capped).set, generate(&without).set);
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
fn a_saturated_single_rate_is_the_share_of_the_other_label() {
    // Once a change moves all samples to one side, exactly those flip that had the other label: the rate is their share, and
    // says nothing about sensitivity.
    let dbi = Dbi {
        samples: Count::literal(12),
        stage1: stage1(60),
        ..Dbi::default()
    };
    // To the first head of this key all noise has one label.
    let context = OWNER.context(3);
    let name = balanced(&context, 0.2).unwrap();
    let context = Context {
        model_id: &name,
        ..context
    };
    let set = job::run(dbi.start(context).unwrap()).unwrap().set;
    let head = set.head(&OWNER.key, 10).unwrap();
    let saturated = [1e-4, 1e-3, 1e-2].into_iter().find_map(|lr| {
        let attack = Finetune {
            lr: NonNegative::literal(lr),
            steps: Some(Count::literal(2)),
            ..Finetune::default()
        };
        let victim = Victim {
            model: OWNER.target.model(),
            classes: 10,
            weights: &OWNER.weights,
            normalize: None,
            train: &OWNER.held_out,
        };
        let modified = job::run(attack.start(victim, &Stream::new(6)).unwrap()).unwrap();
        let suspect = Deployed(modified.network(&victim).unwrap());
        let verdict = verify(&suspect, &set, head.as_ref()).unwrap();
        verdict.same_label().then_some(verdict)
    });
    let verdict = saturated.expect("a large change moves all samples to one side");
    let rarer = set
        .labels
        .iter()
        .filter(|&&label| label != verdict.labels[0])
        .count();
    assert!((1..12).contains(&rarer), "there were both labels before");
    // Exactly those flipped, each of them and no other.
    let others: Vec<bool> = set
        .labels
        .iter()
        .map(|&label| label != verdict.labels[0])
        .collect();
    assert_eq!(verdict.flipped, others);
}

#[test]
fn the_untouched_model_raises_no_alarm_however_it_is_asked() {
    let deployed =
        Deployed(Network::frozen(OWNER.target.model(), 10, &OWNER.weights, None).unwrap());
    for generator in [
        &ours() as &dyn Generator,
        &Dbi {
            samples: Count::literal(9),
            stage1: stage1(60),
            ..Dbi::default()
        },
    ] {
        let set = generate(generator).set;
        let head = set.head(&OWNER.key, 10).unwrap();
        let pairs = match set.layout {
            Layout::Pairs => Pairing::Own,
            Layout::Singles => Pairing::random(9, 9, &mut Stream::new(5)).unwrap(),
        };
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let controls = pool
                .install(|| verify::control::reask(&deployed, &set, head.as_ref(), &pairs))
                .unwrap();
            for control in controls {
                assert_eq!(
                    control.single.hits(),
                    0,
                    "{}, {threads} threads, {}",
                    set.generator,
                    control.name
                );
            }
        }
    }
}

#[test]
fn either_label_space_works() {
    for space in [LabelSpace::Head, LabelSpace::Classes] {
        let dbi = Dbi {
            samples: Count::literal(3),
            label_space: space,
            stage1: stage1(5),
            ..Dbi::default()
        };
        let set = generate(&dbi).set;
        assert_eq!(set.label_space, space);
        assert_eq!(set.key_check.is_some(), space == LabelSpace::Head);
        set.check().unwrap();
    }
}

#[test]
fn every_generator_makes_sets_of_the_layout_that_it_announces() {
    for entry in generators::REGISTRY {
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
    for entry in generators::REGISTRY {
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
