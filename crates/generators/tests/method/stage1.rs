//! Stage 1 of the paper's method and of the other generators.

use crate::{OWNER, dbi, generate, ours, stage1};
use brink_config::checked::{Count, NonNegative, Positive, Samples};
use brink_generators::{Aid, Generator, Ours, Reduction, Stage1, Start, Stop};
use brink_models::Coverage;
use brink_verify::Images;

fn aid(samples: usize, stage1: Stage1) -> Aid {
    Aid {
        samples: Samples::new(samples).unwrap(),
        stage1,
        ..Aid::default()
    }
}

#[test]
fn stage_1_moves_samples_towards_the_boundary() {
    let mean = |iterations| {
        let dbi = dbi(6, stage1(iterations));
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
        let stage1 = |lr| Stage1 {
            lr: Positive::new(lr).unwrap(),
            patience: Count::literal(5),
            tolerance: NonNegative::new(tolerance).unwrap(),
            ..stage1(50)
        };
        let dbi = generate(&dbi(5, stage1(lr)));
        let aid = generate(&aid(5, stage1(100.0 * lr)));
        assert_eq!(dbi.stop, aid.stop);
        assert_eq!(dbi.iterations_used, aid.iterations_used);
        dbi.stop
    });
    assert_eq!(ends, [Stop::Cap, Stop::Converged]);
}

#[test]
fn the_released_aid_is_dbi_with_a_hundredth_of_the_gradient() {
    // AID's term is a number without a gradient, and DBI's factor 100 is missing: a hundred times the step makes up for it.
    let with_lr = |iterations, lr| Stage1 {
        lr: Positive::new(lr).unwrap(),
        ..stage1(iterations)
    };
    let by_dbi = |stage1| generate(&dbi(5, stage1)).set.images;
    let by_aid = |stage1| generate(&aid(5, stage1)).set.images;
    let furthest = |a: &Images, b: &Images| {
        a.data()
            .iter()
            .zip(b.data())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    let start = by_dbi(with_lr(1, 1e-30));
    for iterations in [1, 2, 20] {
        let (dbi, aid) = (
            by_dbi(with_lr(iterations, 1e-3)),
            by_aid(with_lr(iterations, 1e-1)),
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
    let aid = |coverage| Aid {
        coverage,
        ..aid(3, stage1(3))
    };
    let (released, attached) = (
        generate(&aid(Coverage::Detached)),
        generate(&aid(Coverage::Attached)),
    );
    assert_ne!(released.set.images, attached.set.images);
}

#[test]
fn a_sum_steps_as_far_as_a_mean_at_as_many_times_the_rate() {
    // By powers of two, so that nothing rounds.
    let aid = |reduction, lr| Aid {
        samples: Samples::literal(4),
        coverage: Coverage::Attached,
        stage1: Stage1 {
            reduction,
            lr: Positive::new(lr).unwrap(),
            ..stage1(3)
        },
        ..Aid::default()
    };
    let (mean, sum) = (
        generate(&aid(Reduction::Mean, 0.5)),
        generate(&aid(Reduction::Sum, 0.125)),
    );
    assert_eq!(mean.set.images, sum.set.images);
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

#[test]
fn convergence_and_the_cap_are_told_apart() {
    let with_tolerance = |tolerance| {
        dbi(
            3,
            Stage1 {
                patience: Count::literal(10),
                tolerance: NonNegative::new(tolerance).unwrap(),
                ..stage1(40)
            },
        )
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
fn natural_samples_start_from_held_out_images() {
    let set = generate(&dbi(
        5,
        Stage1 {
            start: Start::Natural,
            lr: Positive::literal(1e-30),
            ..stage1(1)
        },
    ))
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

/// All held-out images are the same set in any order.
#[test]
fn two_sets_differ_where_their_samples_start_apart() {
    let starting = |start| {
        let stage1 = Stage1 { start, ..stage1(1) };
        let all: [Box<dyn Generator>; 3] = [
            Box::new(dbi(6, stage1.clone())),
            Box::new(aid(6, stage1.clone())),
            Box::new(Ours { stage1, ..ours() }),
        ];
        [6, 7].map(|held_out| all.each_ref().map(|one| one.is_random(100, held_out)))
    };
    assert_eq!(starting(Start::Natural), [[false; 3], [true; 3]]);
    assert_eq!(starting(Start::Normal), [[true; 3]; 2]);
}
