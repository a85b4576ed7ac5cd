//! The verdict on samples: no flip on the untouched network, and flips on another.

use crate::{Deployed, OWNER, dbi, generate, ours, stage1};
use brink_attacks::{Attack, Finetune, Victim};
use brink_config::checked::{Count, NonNegative};
use brink_generators::{Context, Generator, balanced};
use brink_models::{Network, job};
use brink_random::Stream;
use brink_verify::{Layout, Pairing, verify};

#[test]
fn the_untouched_model_raises_no_alarm_however_it_is_asked() {
    let deployed =
        Deployed(Network::frozen(OWNER.target.model(), 10, &OWNER.weights, None).unwrap());
    for generator in [&ours() as &dyn Generator, &dbi(9, stage1(60))] {
        let set = generate(generator).set;
        let head = set.head(&OWNER.key).unwrap();
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
                .install(|| brink_verify::control::reask(&deployed, &set, head.as_ref(), &pairs))
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
fn a_saturated_single_rate_is_the_share_of_the_other_label() {
    // Once a change moves all samples to one side, exactly those flip that had the other label: the rate is their share, and
    // says nothing about sensitivity.
    let dbi = dbi(12, stage1(60));
    // To the first head of this key all noise has one label.
    let context = OWNER.context(3);
    let name = balanced(&context, 0.2).unwrap();
    let context = Context {
        model_id: &name,
        ..context
    };
    let set = job::run(dbi.start(context).unwrap()).unwrap().set;
    let head = set.head(&OWNER.key).unwrap();
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
            leaked: &[],
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
