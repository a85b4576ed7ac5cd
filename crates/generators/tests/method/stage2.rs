//! Stage 2: the step across the boundary, and the pair on both sides.

use crate::{OWNER, generate, ours};
use brink_config::checked::{Count, Positive};
use brink_generators::{Generated, Generator, Ours, Stage2};
use brink_models::job;
use brink_verify::Layout;

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
