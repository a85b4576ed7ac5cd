//! Chosen pairs react more to local changes than pairs that were not chosen.

use crate::{OWNER, generate};
use brink_attacks::{Attack, Nudge, Part, Victim};
use brink_config::checked::{Count, Positive, Samples};
use brink_generators::{BlackBox, Bracketed, Diverse, Generator};
use brink_models::{Error, Network, job};
use brink_random::Stream;
use brink_verify::{LabelSpace, SensitiveSet, margin, outputs};

fn diverse() -> Diverse {
    Diverse {
        samples: Samples::literal(6),
        candidates: Samples::literal(60),
        changes: Count::literal(24),
        ..Diverse::default()
    }
}

fn margins(set: &SensitiveSet, network: &Network) -> Vec<f32> {
    let outputs = outputs(&BlackBox(network), &set.images, LabelSpace::Classes, None).unwrap();
    let labelled = outputs.iter().zip(&set.labels);
    labelled
        .map(|(outputs, label)| margin(outputs, *label))
        .collect()
}

/// For some changes of one filter by 1 %, the largest change of any margin of the set; their mean over the changes.
fn reaction(set: &SensitiveSet) -> f32 {
    let nudge = Nudge {
        part: Part::Filter,
        share: Some(Positive::literal(0.01)),
        ..Nudge::default()
    };
    let before = margins(set, &OWNER.target);
    let largest = |seed| {
        let victim = Victim {
            weights: &OWNER.weights,
            model: OWNER.target.model(),
            classes: 10,
            normalize: None,
            train: &OWNER.held_out,
        };
        let job = nudge.start(victim, &Stream::new(seed)).unwrap();
        let weights = job::run(job).unwrap().weights;
        let network = Network::frozen(OWNER.target.model(), 10, &weights, None).unwrap();
        let after = margins(set, &network);
        let moved = after.iter().zip(&before).map(|(a, b)| (a - b).abs());
        moved.fold(0.0, f32::max)
    };
    // Other changes than those that the choice saw.
    (900..930).map(largest).sum::<f32>() / 30.0
}

#[test]
fn chosen_pairs_react_more_to_changes_that_the_choice_did_not_see() {
    let chosen = generate(&diverse());
    let usual = generate(&Bracketed {
        samples: Samples::literal(6),
        ..Bracketed::default()
    });
    assert_eq!(chosen.set.samples(), 6);
    assert_eq!(chosen.set.generator, "diverse");
    assert_eq!(chosen.margins.len(), 6);
    assert!(chosen.set.labels.chunks(2).all(|pair| pair[0] != pair[1]));
    let (chosen, usual) = (reaction(&chosen.set), reaction(&usual.set));
    assert!(chosen > 1.2 * usual, "{chosen} {usual}");
}

#[test]
fn fewer_candidates_than_samples_are_refused() {
    let settings = Diverse {
        samples: Samples::literal(100),
        ..diverse()
    };
    let Err(Error::DoesNotFit { field, problem }) = settings.fits(100, 100) else {
        panic!("not refused");
    };
    assert_eq!(field, "candidates");
    assert!(problem.contains("60 candidates"), "{problem}");
}
