//! Models that are asked pair by pair.

use std::cell::{Cell, RefCell};

use brink_random::Stream;
use brink_verify::{
    Doubt, Error, Finding, Head, Images, Interview, Known, LabelSpace, Layout, Oracle, OracleError,
    Profile, Risks, SecretKey, SensitiveSet, interview, labels,
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

fn risks() -> Risks {
    Risks::new(5e-4, 0.05, 0.25, 0.01).unwrap()
}

/// Asks about the pairs `order` of `set`.
fn about(
    oracle: &dyn Oracle,
    set: &SensitiveSet,
    profiles: &[Profile],
    order: &[usize],
) -> Result<Interview, Error> {
    let known = Known {
        set,
        head: None,
        anchors: &anchors(),
        profiles,
    };
    interview(oracle, known, order, risks())
}

fn ask(oracle: &dyn Oracle) -> Interview {
    about(oracle, &set(), &[], &Stream::new(5).permutation(PAIRS)).unwrap()
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
    let said = about(&Threshold { boundary: 0.5019 }, &set(), &[], &order).unwrap();
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
    let model = Threshold { boundary: 0.5 };
    let beyond = about(&model, &set(), &[], &[PAIRS]).unwrap_err();
    assert!(matches!(beyond, Error::Pair { .. }), "{beyond}");
    let singles = SensitiveSet {
        layout: Layout::Singles,
        ..set()
    };
    let error = about(&model, &singles, &[], &[0]).unwrap_err();
    assert!(matches!(error, Error::NoPairs), "{error}");
    let keyed = SensitiveSet {
        label_space: LabelSpace::Head,
        key_check: Some(key().check("threshold")),
        ..set()
    };
    let error = about(&model, &keyed, &[], &[0]).unwrap_err();
    assert!(matches!(error, Error::NoHead), "{error}");
    let long = profile("too long", |_| true, PAIRS + 1);
    let error = about(&model, &set(), &[long], &[0]).unwrap_err();
    assert!(matches!(error, Error::Pair { .. }), "{error}");
}

fn key() -> SecretKey {
    SecretKey::from_hex("00112233445566778899aabbccddeeff").unwrap()
}

/// The labels of the first pairs, each pixel by `label`.
fn profile(name: &str, label: impl Fn(f32) -> bool, pairs: usize) -> Profile {
    let pixels = (1..=pairs).flat_map(|i| [0.5 - i as f32 * 1e-3, 0.5 + i as f32 * 1e-3]);
    Profile {
        name: name.to_owned(),
        labels: pixels.map(|pixel| u32::from(label(pixel))).collect(),
    }
}

#[test]
fn answers_that_follow_a_profile_name_it() {
    let profiles = [
        profile("inverted", |pixel| pixel < 0.5, 40),
        profile("darker", |pixel| pixel >= 0.52, 40),
    ];
    let asked = |oracle: &dyn Oracle, seed| {
        let order = Stream::new(seed).permutation(PAIRS);
        about(oracle, &set(), &profiles, &order).unwrap()
    };
    for seed in 0..20 {
        let said = asked(&Threshold { boundary: 0.52 }, seed);
        assert_eq!(said.finding, Finding::Changed, "{seed}");
        assert_eq!(said.like.as_deref(), Some("darker"), "{seed}");
        // Each pair is told once, and those that were asked for the profile are told, too.
        let mut pairs = said.asked.clone();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), said.asked.len());
        assert!(pairs.len() >= 20, "{seed}: {pairs:?}");
        // Another change fits neither, and costs few more pairs.
        let said = asked(&Threshold { boundary: 0.545 }, seed);
        assert_eq!(
            (said.finding, said.like),
            (Finding::Changed, None),
            "{seed}"
        );
        // An untouched model is not compared.
        let said = asked(&Threshold { boundary: 0.5 }, seed);
        assert_eq!((said.finding, said.like), (Finding::Intact, None), "{seed}");
    }
}

/// At most `miss` of the models that keep 75 % of a profile's labels pass for it.
#[test]
fn a_change_of_the_weights_rarely_passes_for_a_profile() {
    let mut like = 0;
    for seed in 0..2000 {
        let stream = Stream::new(seed);
        let mut drawn = stream.split("model");
        let inverted = profile("inverted", |pixel| pixel < 0.5, PAIRS);
        // The profile's answers, but in one of four pairs the set's own.
        let kept: Vec<bool> = (0..PAIRS).map(|_| drawn.uniform() < 0.25).collect();
        let model = Other(|images: &Images| {
            let pair = |pixel: f32| ((pixel - 0.5).abs() * 1e3).round() as usize - 1;
            answer(images, |pixel| {
                (pixel >= 0.5) == kept[pair(pixel).min(PAIRS - 1)]
            })
        });
        let order = stream.split("order").permutation(PAIRS);
        let said = about(&model, &set(), &[inverted], &order).unwrap();
        like += u32::from(said.like.is_some());
    }
    // Four standard deviations of 20 are 18.
    assert!(like <= 20 + 18, "{like} of 2000");
}

#[test]
fn pairs_of_a_keyed_head_are_asked_through_it() {
    let model = Threshold { boundary: 0.5 };
    // Two logits, of which the head takes the difference.
    let head = Head::new(vec![1.0, 0.0, 0.0, 1.0], [0.0, 0.0]).unwrap();
    let keyed = SensitiveSet {
        label_space: LabelSpace::Head,
        key_check: Some(key().check("threshold")),
        labels: labels(&model, &set().images, LabelSpace::Head, Some(&head)).unwrap(),
        ..set()
    };
    let known = Known {
        set: &keyed,
        head: Some(&head),
        anchors: &anchors(),
        profiles: &[],
    };
    let order: Vec<usize> = (0..PAIRS).collect();
    let said = interview(&model, known, &order, risks()).unwrap();
    assert_eq!(said.finding, Finding::Intact);
    let said = interview(&Threshold { boundary: 0.53 }, known, &order, risks()).unwrap();
    assert_eq!(said.finding, Finding::Changed);
}
