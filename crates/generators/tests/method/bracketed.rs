//! Bracketed pairs: where they lie, and how far their members are apart.

use crate::{OWNER, generate};
use brink_attacks::{Arithmetic, Victim};
use brink_config::checked::{NonNegative, Positive, Samples};
use brink_generators::{
    Asked, BlackBox, Bracketed, Context, Generated, Generator, PixelValues, Start,
};
use brink_models::{Network, job};
use brink_random::Stream;
use brink_verify::{
    Finding, Images, LabelSpace, Oracle, OracleError, SensitiveSet, margin, outputs, verify,
};
use serde_json::json;

fn bracketed() -> Bracketed {
    Bracketed {
        samples: Samples::literal(6),
        ..Bracketed::default()
    }
}

fn eight_bit(margin: f64) -> Bracketed {
    Bracketed {
        pixels: PixelValues::Uint8,
        margin: NonNegative::new(margin).unwrap(),
        ..bracketed()
    }
}

fn vernier(levels: u32) -> Bracketed {
    Bracketed {
        vernier: Some(levels),
        ..eight_bit(0.0)
    }
}

/// The margins of all images by their reference labels.
fn margins(set: &SensitiveSet, network: &Network) -> Vec<f32> {
    let head = set.head(&OWNER.key).unwrap();
    let outputs = outputs(
        &BlackBox(network),
        &set.images,
        set.label_space,
        head.as_ref(),
    );
    let outputs = outputs.unwrap();
    let labelled = outputs.iter().zip(&set.labels);
    labelled
        .map(|(outputs, label)| margin(outputs, *label))
        .collect()
}

/// The pixels in which the members of a pair differ.
fn differences(set: &SensitiveSet, pair: usize) -> Vec<(f32, f32)> {
    let [a, b] = [0, 1].map(|side| set.images.image(2 * pair + side));
    let both = a.iter().copied().zip(b.iter().copied());
    both.filter(|(a, b)| a != b).collect()
}

#[test]
fn the_untouched_model_gives_both_labels_of_every_pair() {
    // The first head that gives the small network's images both labels.
    let names: Vec<String> = (0..40).map(|n| format!("model {n}")).collect();
    let keyed = names.iter().find_map(|name| {
        let settings = Bracketed {
            label_space: LabelSpace::Head,
            ..bracketed()
        };
        let context = Context {
            model_id: name,
            ..OWNER.context(7)
        };
        let made = job::run(settings.start(context).unwrap()).ok()?;
        Some(made.set)
    });
    for set in [generate(&bracketed()).set, keyed.unwrap()] {
        assert!(set.labels.chunks(2).all(|pair| pair[0] != pair[1]));
        let head = set.head(&OWNER.key).unwrap();
        let verdict = verify(&BlackBox(&OWNER.target), &set, head.as_ref()).unwrap();
        assert_eq!(verdict.finding, Finding::Intact);
    }
}

/// The small network gives all noise one class.
#[test]
fn starts_of_one_label_are_refused() {
    let settings = Bracketed {
        start: Start::Uniform,
        ..bracketed()
    };
    let made = job::run(settings.start(OWNER.context(7)).unwrap());
    let error = made.map(|made| made.set.labels).unwrap_err().to_string();
    assert!(
        error.contains("so no boundary lies between them"),
        "{error}"
    );
}

#[test]
fn the_closest_pairs_differ_in_one_pixel_by_one_unit_in_the_last_place() {
    let made = generate(&bracketed());
    assert_eq!((made.asked, made.uncrossed), (6, 0));
    for pair in 0..6 {
        let differ = differences(&made.set, pair);
        assert_eq!(differ.len(), 1);
        let (a, b) = differ[0];
        assert_eq!(a.to_bits().abs_diff(b.to_bits()), 1);
    }
    let asked = made.queries.unwrap();
    assert!((24 + 6 * 20..24 + 6 * 80).contains(&asked), "{asked}");
}

#[test]
fn members_lie_at_the_margin_that_is_asked_for() {
    let least = 1e-3;
    let set = generate(&Bracketed {
        margin: NonNegative::literal(least),
        ..bracketed()
    })
    .set;
    let margins = margins(&set, &OWNER.target);
    let within = |margin: &f32| (1e-3..=1.06e-3).contains(margin);
    assert!(margins.iter().all(within), "{margins:?}");
}

/// What the margin is for: an execution whose noise is below it changes no label.
#[test]
fn an_arithmetic_with_less_noise_than_the_margin_raises_no_alarm() {
    let set = generate(&Bracketed {
        margin: NonNegative::literal(1e-4),
        ..bracketed()
    })
    .set;
    let victim = Victim {
        model: OWNER.target.model(),
        classes: 10,
        weights: &OWNER.weights,
        normalize: None,
        train: &OWNER.held_out,
        leaked: &[],
    };
    for arithmetic in [Arithmetic::Float64, Arithmetic::Folded] {
        let other = arithmetic.network(&victim).unwrap();
        let pairs = margins(&set, &OWNER.target);
        let pairs = pairs.into_iter().zip(margins(&set, &other));
        let noise = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(noise > 0.0 && noise < 1e-4, "{arithmetic:?}: {noise}");
        let verdict = verify(&BlackBox(&other), &set, None).unwrap();
        assert_eq!(verdict.finding, Finding::Intact, "{arithmetic:?}");
    }
}

#[test]
fn eight_bit_pairs_differ_by_one_level_and_survive_a_png() {
    let set = generate(&eight_bit(0.0)).set;
    for pair in 0..set.samples() {
        let differ = differences(&set, pair);
        assert_eq!(differ.len(), 1);
        let levels = [differ[0].0, differ[0].1].map(|x| (x * 255.0).round() as i32);
        assert_eq!((levels[0] - levels[1]).abs(), 1);
    }
    let whole = |x: &f32| *x == (x * 255.0).round() / 255.0;
    assert!(set.images.data().iter().all(whole));
}

#[test]
fn eight_bit_members_are_brought_to_a_margin_by_few_pixels() {
    let made = generate(&eight_bit(3e-4));
    assert!(made.set.samples() >= 4, "{} of 6 pairs", made.set.samples());
    let margins = margins(&made.set, &OWNER.target);
    let largest = margins.iter().copied().fold(0.0, f32::max);
    assert!(margins.iter().all(|&margin| margin >= 3e-4), "{margins:?}");
    assert!(largest < 9e-4, "{margins:?}");
    let whole = |x: &f32| *x == (x * 255.0).round() / 255.0;
    assert!(made.set.images.data().iter().all(whole));
    let pairs = 0..made.set.samples();
    assert!(
        pairs
            .into_iter()
            .all(|pair| differences(&made.set, pair).len() < 200)
    );
}

#[test]
fn labels_alone_give_pairs_of_a_width() {
    let set = generate(&Bracketed {
        width: Some(Positive::literal(1e-3)),
        ..bracketed()
    })
    .set;
    for pair in 0..set.samples() {
        let differ = differences(&set, pair).into_iter();
        let widest = differ.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!((0.5e-3..1.1e-3).contains(&widest), "{widest}");
    }
}

#[test]
fn eight_bit_members_move_away_from_the_boundary_without_scores() {
    let close = generate(&eight_bit(0.0));
    let apart = generate(&Bracketed {
        steps: 3,
        ..eight_bit(0.0)
    });
    let more = apart.queries.unwrap() - close.queries.unwrap();
    assert!((40..=6 * 2 * 12).contains(&more), "{more}");
    assert_eq!(apart.set.samples(), 6);
    for pair in 0..apart.set.samples() {
        // At most three pixels each, and the one that crosses.
        let differ = differences(&apart.set, pair).len();
        assert!((1..=7).contains(&differ), "{differ}");
    }
    let whole = |x: &f32| *x == (x * 255.0).round() / 255.0;
    assert!(apart.set.images.data().iter().all(whole));
    let least = |set: &SensitiveSet| {
        let margins = margins(set, &OWNER.target).into_iter();
        margins.fold(f32::INFINITY, f32::min)
    };
    let (close, apart) = (least(&close.set), least(&apart.set));
    assert!(apart > 4.0 * close, "{close} {apart}");
}

#[test]
fn a_vernier_keeps_eight_bit_members_off_the_boundary_and_closer_than_steps_do() {
    let sorted = |settings: Bracketed| {
        let set = generate(&settings).set;
        assert_eq!(set.samples(), 6);
        let whole = |x: &f32| *x == (x * 255.0).round() / 255.0;
        assert!(set.images.data().iter().all(whole));
        let mut margins = margins(&set, &OWNER.target);
        margins.sort_by(f32::total_cmp);
        margins
    };
    let (close, fine) = (sorted(eight_bit(0.0)), sorted(vernier(1)));
    let apart = sorted(Bracketed {
        steps: 3,
        ..eight_bit(0.0)
    });
    assert!(fine[0] > 3.0 * close[0], "{fine:?} {close:?}");
    assert!(fine[6] < apart[6], "{fine:?} {apart:?}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let refused = |fields| {
        let settings: Bracketed = serde_json::from_value(fields).unwrap();
        settings.fits(100, 100).unwrap_err().to_string()
    };
    let both = refused(json!({"margin": 1e-5, "width": 1e-5}));
    assert!(both.contains("leave one out"), "{both}");
    let levels = refused(json!({"pixels": "uint8", "width": 1e-2}));
    assert!(levels.contains("use `steps`"), "{levels}");
    let floats = refused(json!({"steps": 2}));
    assert!(floats.contains("add `pixels: uint8`"), "{floats}");
    let both = refused(json!({"pixels": "uint8", "steps": 2, "margin": 1e-4}));
    assert!(both.contains("leave one out"), "{both}");
    let floats = refused(json!({"vernier": 1}));
    assert!(floats.contains("add `pixels: uint8`"), "{floats}");
    let margin = refused(json!({"pixels": "uint8", "vernier": 1, "margin": 1e-4}));
    assert!(margin.contains("`margin` and `vernier`"), "{margin}");
    let steps = refused(json!({"pixels": "uint8", "vernier": 0, "steps": 3}));
    assert!(steps.contains("`steps` and `vernier`"), "{steps}");
    let many = refused(json!({"pixels": "uint8", "vernier": 9}));
    assert!(many.contains("at most 8"), "{many}");
    let few = Bracketed::default().fits(100, 1).unwrap_err().to_string();
    assert!(few.contains("start: uniform"), "{few}");
}

/// A server that tells the top-1 label and nothing else.
struct LabelsOnly;

impl Oracle for LabelsOnly {
    fn classes(&self) -> usize {
        10
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let target = BlackBox(&OWNER.target);
        let labels = brink_verify::labels(&target, images, LabelSpace::Classes, None)?;
        let one_hot = labels.iter().flat_map(|&label| {
            let score = move |class| if class == label { 1.0 } else { 0.0 };
            (0..10).map(score)
        });
        Ok(one_hot.collect())
    }
}

/// What the settings make of answers alone.
fn asked(settings: &Bracketed, oracle: impl Oracle) -> brink_models::Result<Generated> {
    job::run(settings.ask(Asked {
        oracle,
        images: &OWNER.held_out,
        model_id: "target",
        key: None,
        stream: Stream::new(7),
    })?)
}

/// The label tells how many of the thresholds a weighted sum of the pixels' levels reaches.
struct Linear {
    weights: Vec<i64>,
    thresholds: Vec<i64>,
}

impl Linear {
    /// The first threshold is the median of the held-out images, so both sides have many of them; the second one is `band` above.
    fn new(weight: impl Fn(i64) -> i64, band: Option<i64>) -> Self {
        let pixels = OWNER.held_out.shape().iter().product::<usize>() as i64;
        let weights: Vec<i64> = (0..pixels).map(weight).collect();
        let every: Vec<usize> = (0..OWNER.held_out.len()).collect();
        let images = OWNER.held_out.images(&every);
        let images = images.chunks(weights.len());
        let mut sums: Vec<i64> = images.map(|image| sum(&weights, image)).collect();
        sums.sort_unstable();
        let middle = sums[sums.len() / 2];
        let thresholds = band.map(|band| middle + band);
        Self {
            weights,
            thresholds: [middle].into_iter().chain(thresholds).collect(),
        }
    }

    /// The distance of an image from the first threshold, at least 1: the last sum without its label is one below.
    fn distance(&self, image: &[f32]) -> i64 {
        let beyond = sum(&self.weights, image) - self.thresholds[0];
        if beyond < 0 { -beyond } else { beyond + 1 }
    }

    fn label(&self, image: &[f32]) -> usize {
        let sum = sum(&self.weights, image);
        self.thresholds.iter().filter(|it| sum >= **it).count()
    }
}

fn levels(image: &[f32]) -> impl Iterator<Item = i64> {
    image.iter().map(|x| (x * 255.0).round() as i64)
}

fn sum(weights: &[i64], image: &[f32]) -> i64 {
    levels(image)
        .zip(weights)
        .map(|(x, weight)| x * weight)
        .sum()
}

impl Oracle for &Linear {
    fn classes(&self) -> usize {
        self.thresholds.len() + 1
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let classes = self.classes();
        let images = images.data().chunks(self.weights.len());
        let one_hot = images.flat_map(|image| {
            let label = self.label(image);
            (0..classes).map(move |class| f32::from(u8::from(class == label)))
        });
        Ok(one_hot.collect())
    }
}

/// Weights from -200 to 200, in no order.
fn mixed(pixel: i64) -> i64 {
    pixel * 7919 % 401 - 200
}

/// The pixel in which the members of a pair differ and by how many levels, if it is one pixel.
fn ray(set: &SensitiveSet, pair: usize) -> Option<(usize, i64)> {
    let [a, b] = [0, 1].map(|side| set.images.image(2 * pair + side));
    let both = levels(a).zip(levels(b)).enumerate();
    let mut differ = both.filter(|(_, (a, b))| a != b);
    let (pixel, (a, b)) = differ.next()?;
    differ.next().is_none().then_some((pixel, (a - b).abs()))
}

#[test]
fn a_vernier_leaves_its_levels_between_each_member_and_the_boundary() {
    let toy = Linear::new(mixed, None);
    let weight = |pixel: usize| toy.weights[pixel].abs();
    let many = |settings| Bracketed {
        samples: Samples::literal(40),
        ..settings
    };
    let coarse = asked(&many(eight_bit(0.0)), &toy).unwrap();
    let mut coarse: Vec<i64> = (0..40)
        .map(|pair| weight(ray(&coarse.set, pair).unwrap().0))
        .collect();
    coarse.sort_unstable();
    for m in [0, 1, 3] {
        let made = asked(&many(vernier(m as u32)), &toy).unwrap();
        let queries = made.queries.unwrap();
        assert!((40 * 30..40 * 100).contains(&queries), "{queries}");
        let mut fine = Vec::new();
        for pair in 0..40 {
            let (pixel, apart) = ray(&made.set, pair).expect("one pixel");
            let step = weight(pixel);
            assert_eq!(apart, 2 * m + 1);
            fine.push(step);
            for side in [0, 1] {
                let image = 2 * pair + side;
                let distance = toy.distance(made.set.images.image(image));
                assert!(m * step < distance && distance <= (m + 1) * step);
                let label = toy.label(made.set.images.image(image));
                assert_eq!(label as u32, made.set.labels[image]);
            }
        }
        fine.sort_unstable();
        assert!(2 * fine[20] < coarse[20], "{fine:?} {coarse:?}");
    }
}

#[test]
fn a_pair_beside_a_third_label_moves_apart_by_steps() {
    let band = 25;
    let toy = Linear::new(mixed, Some(band));
    let many = |settings| Bracketed {
        samples: Samples::literal(40),
        ..settings
    };
    let set = asked(&many(vernier(3)), &toy).unwrap().set;
    let apart = asked(
        &many(Bracketed {
            steps: 3,
            ..eight_bit(0.0)
        }),
        &toy,
    );
    let apart = apart.unwrap().set;
    let members =
        |set: &SensitiveSet, pair| [0, 1].map(|side| set.images.image(2 * pair + side).to_vec());
    let others: Vec<_> = (0..apart.samples())
        .map(|pair| members(&apart, pair))
        .collect();
    let (mut placed, mut moved) = (0, 0);
    for pair in 0..set.samples() {
        if others.contains(&members(&set, pair)) {
            moved += 1;
            continue;
        }
        let (pixel, levels) = ray(&set, pair).expect("one pixel");
        let step = toy.weights[pixel].abs();
        assert_eq!(levels, 7);
        // Four levels lie in the band, or the first one lies beyond it.
        assert!(3 * step < band || step > band, "{step}");
        placed += 1;
    }
    assert!(placed > 4 && moved > 4, "{placed} {moved}");
}

#[test]
fn labels_of_a_server_give_the_pairs_of_the_network_behind_it() {
    for settings in [eight_bit(0.0), vernier(1)] {
        let served = asked(&settings, LabelsOnly).unwrap();
        let known = generate(&settings);
        assert_eq!(served.set, known.set);
        assert_eq!(served.queries, known.queries);
    }
}

#[test]
fn the_keyed_head_needs_a_key() {
    let settings = Bracketed {
        label_space: LabelSpace::Head,
        ..bracketed()
    };
    let error = asked(&settings, LabelsOnly).err().unwrap().to_string();
    assert!(error.contains("need a key"), "{error}");
}
