//! Models that are asked pair by pair.

use std::cell::{Cell, RefCell};

use brink_random::Stream;
use brink_verify::{
    Doubt, Error, Finding, Images, Interview, LabelSpace, Layout, Oracle, OracleError, Risks,
    SensitiveSet, interview,
};

const PAIRS: usize = 60;

/// Two classes: is the only pixel at `boundary` or above?
struct Threshold {
    boundary: f32,
}

fn answer(images: &Images, label: impl FnMut(f32) -> bool) -> Vec<f32> {
    let labels = images.data().iter().copied().map(label);
    labels
        .flat_map(|yes| if yes { [0.0, 1.0] } else { [1.0, 0.0] })
        .collect()
}

impl Oracle for Threshold {
    fn classes(&self) -> usize {
        2
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        Ok(answer(images, |pixel| pixel >= self.boundary))
    }
}

/// A model of which only the number of classes is right.
struct Other<F>(F);

impl<F: Fn(&Images) -> Vec<f32>> Oracle for Other<F> {
    fn classes(&self) -> usize {
        2
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        Ok((self.0)(images))
    }
}

/// Pairs at growing distances from 0.5.
fn set() -> SensitiveSet {
    let members = (1..=PAIRS).flat_map(|i| [0.5 - i as f32 * 1e-3, 0.5 + i as f32 * 1e-3]);
    SensitiveSet {
        images: Images::new([1, 1, 1], members.collect::<Vec<f32>>()).unwrap(),
        labels: [0, 1].repeat(PAIRS),
        layout: Layout::Pairs,
        label_space: LabelSpace::Classes,
        classes: 2,
        model_id: "threshold".to_owned(),
        generator: "by hand".to_owned(),
        key_check: None,
    }
}

/// Images that are clearly of either class.
fn anchors() -> Images {
    Images::new([1, 1, 1], vec![0.0, 1.0]).unwrap()
}

fn ask(oracle: &dyn Oracle) -> Interview {
    let order = Stream::new(5).permutation(PAIRS);
    let risks = Risks::new(5e-4, 0.05, 0.25, 0.01).unwrap();
    interview(oracle, &set(), &anchors(), &order, risks).unwrap()
}

#[test]
fn the_untouched_model_is_intact_after_few_pairs() {
    let said = ask(&Threshold { boundary: 0.5 });
    assert_eq!(said.finding, Finding::Intact);
    assert_eq!((said.asked.len(), said.images), (20, 40));
    assert!(said.flipped.is_empty() && said.p_value == 1.0);
}

#[test]
fn a_change_is_found_and_its_flips_are_named() {
    let said = ask(&Threshold { boundary: 0.5299 });
    assert_eq!(said.finding, Finding::Changed);
    // Pairs closer than the boundary moved have two equal labels now.
    let expected = said.asked.iter().filter(|pair| **pair < 29);
    assert!(said.flipped.iter().eq(expected), "{said:?}");
    assert!(said.p_value < 5e-4 && said.asked.len() < 30, "{said:?}");
}

/// All pairs lie on one side of the new boundary, as with a model that does not look. The anchors tell the two apart.
#[test]
fn a_boundary_that_moved_past_all_pairs_is_a_change() {
    let said = ask(&Threshold { boundary: 0.6 });
    assert_eq!(said.finding, Finding::Changed);
    assert_eq!(said.flipped, said.asked);
}

#[test]
fn a_small_change_may_run_out_of_pairs() {
    let order: Vec<usize> = (0..8).collect();
    let risks = Risks::new(5e-4, 0.05, 0.25, 0.01).unwrap();
    let said = interview(
        &Threshold { boundary: 0.5019 },
        &set(),
        &anchors(),
        &order,
        risks,
    )
    .unwrap();
    let doubt = Doubt::RanOut {
        pairs: 8,
        flipped: 1,
    };
    assert_eq!(said.finding, Finding::CannotTell(doubt));
}

#[test]
fn a_server_that_does_not_look_is_neither_intact_nor_changed() {
    let said = ask(&Other(|images: &Images| answer(images, |_| true)));
    let doubt = Doubt::OneAnswer { label: 1 };
    assert_eq!(said.finding, Finding::CannotTell(doubt));
}

#[test]
fn random_answers_are_never_intact_and_hardly_ever_a_change() {
    let mut changed = 0;
    for seed in 0..200 {
        let stream = RefCell::new(Stream::new(seed));
        let said = ask(&Other(|images: &Images| {
            answer(images, |_| stream.borrow_mut().uniform() < 0.5)
        }));
        assert_ne!(said.finding, Finding::Intact, "{seed}");
        changed += u32::from(said.finding == Finding::Changed);
    }
    assert!(changed <= 2, "{changed} of 200");
}

#[test]
fn two_models_behind_one_address_cannot_be_told() {
    let turn = Cell::new(0);
    let said = ask(&Other(|images: &Images| {
        turn.set(turn.get() + 1);
        let boundary = if turn.get() % 2 == 0 { 0.5 } else { 0.6 };
        answer(images, |pixel| pixel >= boundary)
    }));
    let Finding::CannotTell(Doubt::Unstable { pairs, differ }) = said.finding else {
        panic!("{said:?}");
    };
    assert!(differ > 0 && differ <= pairs);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let risks = Risks::new(5e-4, 0.05, 0.25, 0.01).unwrap();
    let model = Threshold { boundary: 0.5 };
    let beyond = interview(&model, &set(), &anchors(), &[PAIRS], risks).unwrap_err();
    assert!(matches!(beyond, Error::Pair { .. }), "{beyond}");
    let singles = SensitiveSet {
        layout: Layout::Singles,
        ..set()
    };
    let error = interview(&model, &singles, &anchors(), &[0], risks).unwrap_err();
    assert!(matches!(error, Error::NoPairs), "{error}");
}
