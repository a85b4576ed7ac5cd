//! Labels, verdicts, pairs and controls of models with known answers.

mod common;

use std::error::Error as _;

use brink_random::Stream;
use brink_verify::{
    Doubt, Error, Finding, Head, Images, LabelSpace, Layout, Oracle, OracleError, Paired, Pairing,
    Rate, SensitiveSet, Verdict,
    control::{self, Control},
    decide, labels, verify,
};
use common::{Linear, MODEL, images, key, set_of};
use proptest::prelude::*;

const SPACES: [LabelSpace; 2] = [LabelSpace::Head, LabelSpace::Classes];

/// A model whose answer is a function of the batch: of its images, and of their number.
struct Answer<F>(usize, F);

impl<F: Fn(&Images) -> Vec<f32>> Oracle for Answer<F> {
    fn classes(&self) -> usize {
        self.0
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        Ok((self.1)(images))
    }
}

fn head() -> Head {
    key().head(MODEL, 3)
}

/// The label of one image with these logits.
fn label(logits: &[f32], space: LabelSpace, head: Option<&Head>) -> Result<u32, Error> {
    let model = Answer(logits.len(), |_: &Images| logits.to_vec());
    labels(&model, &images(1, &mut Stream::new(0)), space, head).map(|labels| labels[0])
}

/// What the set's own pairs say.
fn own(verdict: &Verdict, set: &SensitiveSet) -> (Rate, u64) {
    let Paired { pair, both } = verdict.paired(&Pairing::Own.pairs(set).unwrap());
    (pair, both)
}

#[test]
fn the_untouched_model_flips_nothing() {
    for space in SPACES {
        let set = set_of(&Linear, 20, Layout::Pairs, space);
        let verdict = verify(&Linear, &set, Some(&head())).unwrap();
        assert_eq!(verdict.single, Rate::new(0, 20));
        assert_eq!(own(&verdict, &set), (Rate::new(0, 10), 0));
        assert_eq!(verdict.finding, Finding::Intact);
        assert_eq!(verdict.labels, set.labels);
    }
}

#[test]
fn a_verdict_counts_what_flipped() {
    // The model says class 0 to everything; the record says otherwise for images 1, 2 and 3.
    let model = Answer(2, |images: &Images| [1.0, 0.0].repeat(images.len()));
    let mut set = set_of(&model, 6, Layout::Pairs, LabelSpace::Classes);
    set.labels = vec![0, 1, 1, 1, 0, 0];
    let verdict = verify(&model, &set, None).unwrap();
    assert_eq!(verdict.flipped, [false, true, true, true, false, false]);
    assert_eq!(verdict.single, Rate::new(3, 6));
    assert_eq!(own(&verdict, &set), (Rate::new(2, 3), 1));
    assert_eq!(verdict.finding, Finding::Changed);
    assert!(verdict.same_label());
    let drawn = verdict.paired(&[[0, 4], [0, 1], [5, 4], [2, 1]]);
    assert_eq!((drawn.pair, drawn.both), (Rate::new(2, 4), 1));
}

/// A model that knows nothing of the delivered one must not pass for it.
#[test]
fn a_liar_is_never_told_to_be_intact() {
    let always = |label: usize| {
        Answer(3, move |images: &Images| {
            let mut logits = [0.0; 3];
            logits[label] = 1.0;
            logits.repeat(images.len())
        })
    };
    let set = |labels: [u32; 4]| SensitiveSet {
        labels: labels.to_vec(),
        ..set_of(&Linear, 4, Layout::Pairs, LabelSpace::Classes)
    };
    let finding =
        |oracle: &dyn Oracle, set: &SensitiveSet| verify(oracle, set, None).unwrap().finding;
    // Of two labels a constant answer misses one.
    for label in 0..3 {
        assert_eq!(
            finding(&always(label), &set([0, 0, 0, 1])),
            Finding::Changed
        );
    }
    // Of one label it misses none.
    let one_label = Doubt::OneLabel {
        images: 4,
        label: 2,
    };
    assert_eq!(
        finding(&always(2), &set([2; 4])),
        Finding::CannotTell(one_label)
    );
    assert_eq!(finding(&always(1), &set([2; 4])), Finding::Changed);
    // A pair that is one image twice lies on no boundary.
    let equal = SensitiveSet {
        images: set([0; 4]).images.select(&[0, 1, 2, 2]),
        ..set([0, 1, 1, 1])
    };
    let answers = Answer(3, |_: &Images| {
        [[1., 0., 0.], [0., 1., 0.], [0., 1., 0.], [0., 1., 0.]].concat()
    });
    let equal_pair = Doubt::EqualPair { pair: 1 };
    assert_eq!(finding(&answers, &equal), Finding::CannotTell(equal_pair));
    // Who answers with one class cannot be wrong, and is not asked.
    let one_class = Answer(1, |images: &Images| vec![0.0; images.len()]);
    let error = verify(&one_class, &set([0; 4]), None).unwrap_err();
    assert!(
        matches!(error, Error::OtherClasses { set: 3, oracle: 1 }),
        "{error}"
    );
    let doubts = [
        Doubt::OneLabel {
            images: 4,
            label: 2,
        },
        Doubt::EqualPair { pair: 1 },
    ];
    for (doubt, said) in doubts
        .iter()
        .zip(["always answers 2 passes", "pair 1 are the same"])
    {
        assert!(doubt.to_string().contains(said), "{doubt}");
    }
}

proptest! {
    /// The geometry of a pair: whatever change gives both members one label flips exactly one of them.
    #[test]
    fn if_both_members_get_one_label_exactly_one_of_them_flips(
        members in prop::array::uniform2(prop::array::uniform3(-5f32..5.)),
        to_the_first: bool,
    ) {
        let sides = members.map(|logits| head().margin(&logits) < 0.0);
        prop_assume!(sides[0] != sides[1]);
        // A bias that is beyond all margins moves both to one side.
        let far = if to_the_first { [1e3, 0.0] } else { [0.0, 1e3] };
        let after = Head::new(head().weight().to_vec(), far).unwrap();
        let logits = members.concat();
        let model = Answer(3, |_: &Images| logits.clone());
        let mut set = set_of(&Linear, 2, Layout::Pairs, LabelSpace::Head);
        set.labels = sides.map(u32::from).to_vec();
        let verdict = verify(&model, &set, Some(&after)).unwrap();
        prop_assert!(verdict.same_label());
        prop_assert_eq!(verdict.single, Rate::new(1, 2));
        prop_assert_eq!(own(&verdict, &set), (Rate::new(1, 1), 0));
    }

    #[test]
    fn the_label_of_the_head_is_the_sign_of_the_margin(logits in prop::array::uniform3(-5f32..5.)) {
        let margin = head().margin(&logits);
        let label = label(&logits, LabelSpace::Head, Some(&head())).unwrap();
        prop_assert_eq!(label, u32::from(margin < 0.0));
    }

    #[test]
    fn random_pairs_are_seeded_and_of_distinct_samples(seed: u64, samples in 2usize..30, pairs in 0usize..50) {
        let draw = |seed| Pairing::random(pairs, samples, &mut Stream::new(seed)).unwrap();
        prop_assert_eq!(draw(seed), draw(seed));
        let Pairing::Drawn(drawn) = draw(seed) else { unreachable!() };
        prop_assert_eq!(drawn.len(), pairs);
        prop_assert!(drawn.iter().all(|[a, b]| a != b && *a.max(b) < samples));
    }
}

#[test]
fn random_pairs_are_uniform_over_all_pairs() {
    let Pairing::Drawn(pairs) = Pairing::random(12_000, 4, &mut Stream::new(5)).unwrap() else {
        unreachable!()
    };
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            let count = pairs.iter().filter(|pair| **pair == [a, b]).count();
            assert!(
                (870..1130).contains(&count),
                "[{a}, {b}] came up {count} times of 12000"
            );
        }
    }
}

#[test]
fn ties_go_to_the_lowest_label_and_infinities_compare() {
    let classes = |logits: &[f32]| label(logits, LabelSpace::Classes, None).unwrap();
    assert_eq!(classes(&[1.0, 3.0, 3.0]), 1);
    assert_eq!(classes(&[0.0, -0.0]), 0);
    assert_eq!(classes(&[f32::NEG_INFINITY, f32::MIN, f32::INFINITY]), 2);
    let flat = Head::new(vec![1.0, 1.0], [0.5, 0.5]).unwrap();
    assert_eq!(label(&[7.0], LabelSpace::Head, Some(&flat)).unwrap(), 0);
}

#[test]
fn the_margin_is_what_the_label_is_above_the_next() {
    assert_eq!(decide(&[1.0, 4.0, 2.5]), Ok((1, 1.5)));
    assert_eq!(decide(&[3.0, 3.0]), Ok((0, 0.0)));
    assert_eq!(decide(&[2.0]), Ok((0, 2.0 - f32::MIN)));
    assert_eq!(decide(&[0.0, f32::NAN, f32::NAN]), Err(1));
}

#[test]
fn nan_is_an_error_wherever_it_stands() {
    for logit in 0..3 {
        let mut logits = [9.0, 1.0, 2.0];
        logits[logit] = f32::NAN;
        let error = label(&logits, LabelSpace::Classes, None).unwrap_err();
        assert!(
            matches!(error, Error::Nan { image: 0, logit: at } if at == logit),
            "{error}"
        );
        assert!(error.is_an_answer());
        assert!(matches!(
            label(&logits, LabelSpace::Head, Some(&head())),
            Err(Error::Nan { image: 0, .. })
        ));
    }
    let opposed = Head::new(vec![1.0, 1.0, 1.0, -1.0], [0.0; 2]).unwrap();
    let both = [f32::INFINITY, f32::INFINITY];
    assert!(matches!(
        label(&both, LabelSpace::Head, Some(&opposed)),
        Err(Error::Nan { image: 0, logit: 1 })
    ));
    let set = set_of(&Linear, 4, Layout::Singles, LabelSpace::Classes);
    let model = Answer(1, |_: &Images| vec![0.0, 0.0, f32::NAN, 0.0]);
    assert!(matches!(
        labels(&model, &set.images, LabelSpace::Classes, None),
        Err(Error::Nan { image: 2, logit: 0 })
    ));
}

#[test]
fn a_missing_or_unfitting_head_and_a_broken_promise_are_errors() {
    assert!(matches!(
        label(&[1.0; 3], LabelSpace::Head, None),
        Err(Error::NoHead)
    ));
    let unfitting = label(&[1.0; 4], LabelSpace::Head, Some(&head()));
    assert!(matches!(
        unfitting,
        Err(Error::Classes { head: 3, oracle: 4 })
    ));
    for (classes, logits) in [(3, 2), (3, 4), (0, 0), (0, 1)] {
        let model = Answer(classes, |_: &Images| vec![0.0; logits]);
        let asked = images(1, &mut Stream::new(0));
        let error = labels(&model, &asked, LabelSpace::Classes, None).unwrap_err();
        assert!(
            matches!(error, Error::Answer { images: 1, got, .. } if got == logits),
            "{error}"
        );
        assert!(error.is_an_answer() && !Error::NoHead.is_an_answer());
    }
}

#[test]
fn the_reason_of_a_silent_model_is_passed_on() {
    struct Silent;

    impl Oracle for Silent {
        fn classes(&self) -> usize {
            3
        }

        fn logits(&self, _: &Images) -> Result<Vec<f32>, OracleError> {
            Err("the line is cut".into())
        }
    }

    let set = set_of(&Linear, 4, Layout::Singles, LabelSpace::Classes);
    let error = verify(&Silent as &dyn Oracle, &set, None).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the line is cut");
}

#[test]
fn pairs_that_do_not_fit_the_set_are_refused() {
    let set = set_of(&Linear, 4, Layout::Singles, LabelSpace::Classes);
    let refused = |pairs: Pairing| pairs.pairs(&set).unwrap_err();
    assert!(matches!(refused(Pairing::Own), Error::NoPairs));
    assert!(matches!(
        refused(Pairing::Drawn(vec![[0, 1], [2, 2]])),
        Error::Pair {
            pair: [2, 2],
            samples: 4
        }
    ));
    assert!(matches!(
        refused(Pairing::Drawn(vec![[0, 4]])),
        Error::Pair {
            pair: [0, 4],
            samples: 4
        }
    ));
    for samples in [0, 1] {
        assert!(matches!(
            Pairing::random(1, samples, &mut Stream::new(0)),
            Err(Error::TooFew { .. })
        ));
    }
}

#[test]
fn a_set_that_contradicts_itself_is_not_asked_about() {
    let mut set = set_of(&Linear, 4, Layout::Pairs, LabelSpace::Classes);
    set.labels.pop();
    assert!(matches!(
        verify(&Linear, &set, None),
        Err(Error::Set { .. })
    ));
    assert!(matches!(
        control::reask(&Linear, &set, None, &Pairing::Own),
        Err(Error::Set { .. })
    ));
}

/// The false alarms of asking `model` again about the set that it labelled itself.
fn controls(model: &impl Oracle, samples: usize) -> Vec<Control> {
    let set: SensitiveSet = set_of(model, samples, Layout::Pairs, LabelSpace::Classes);
    control::reask(model, &set, None, &Pairing::Own).unwrap()
}

/// The hits of each control.
fn alarms(controls: &[Control]) -> Vec<(&str, u64, u64)> {
    let hits = |control: &Control| (control.single.hits(), control.pair.hits());
    let all = controls
        .iter()
        .map(|control| (control.name.as_str(), hits(control)));
    all.map(|(name, (single, pair))| (name, single, pair))
        .collect()
}

#[test]
fn a_model_that_depends_on_the_image_alone_raises_no_alarm() {
    let controls = controls(&Linear, 24);
    let quiet = [
        "batches of 1",
        "batches of 7",
        "one batch",
        "one batch, reversed",
    ]
    .map(|name| (name, 0, 0));
    assert_eq!(alarms(&controls), quiet);
    assert!(
        controls
            .iter()
            .all(|control| (control.single.of(), control.pair.of()) == (24, 12))
    );
}

#[test]
fn a_model_that_depends_on_the_batch_size_is_found_out() {
    // Rounding that changes where less than seven images share a batch: 24 = 7 + 7 + 7 + 3.
    let model = Answer(2, |images: &Images| {
        let first = if images.len() < 7 { -1.0 } else { 1.0 };
        [first, 0.0].repeat(images.len())
    });
    let expected = [
        ("batches of 1", 24, 12),
        ("batches of 7", 3, 2),
        ("one batch", 0, 0),
        ("one batch, reversed", 0, 0),
    ];
    let controls = controls(&model, 24);
    assert_eq!(alarms(&controls), expected);
    // Counted once, all of them; and without the first, which was wrong about all, the three of the last batch.
    let once =
        |controls: &[Control]| control::alarms(controls).map(|rate| (rate.hits(), rate.of()));
    assert_eq!(once(&controls), [(24, 24), (12, 12)]);
    assert_eq!(once(&controls[1..]), [(3, 24), (2, 12)]);
    assert_eq!(controls[1].flipped, [21, 22, 23]);
    assert_eq!(once(&[]), [(0, 0), (0, 0)]);
    // Records of before say how many and not which: at least as many as in the worst of them.
    let older = controls.clone().into_iter().map(|control| Control {
        flipped: Vec::new(),
        flipped_pairs: Vec::new(),
        ..control
    });
    assert_eq!(once(&older.collect::<Vec<_>>()[1..]), [(3, 24), (2, 12)]);
}

#[test]
fn a_model_that_depends_on_the_position_is_found_out() {
    // The last image of every batch gets another label than it would get elsewhere.
    let model = Answer(2, |images: &Images| {
        let mut logits = [1.0, 0.0].repeat(images.len());
        logits[2 * images.len() - 2] = -1.0;
        logits
    });
    let expected = [
        ("batches of 1", 23, 12),
        ("batches of 7", 3, 3),
        ("one batch", 0, 0),
        ("one batch, reversed", 2, 2),
    ];
    assert_eq!(alarms(&controls(&model, 24)), expected);
}

#[test]
fn controls_read_back() {
    let controls = controls(&Linear, 4);
    let json = serde_json::to_string(&controls).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Control>>(&json).unwrap(),
        controls
    );
}
