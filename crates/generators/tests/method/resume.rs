//! Interrupted work ends with the same bits, for all settings.

use crate::{Deployed, OWNER, dbi, generate, ours, stage1};
use brink_config::checked::{Count, NonNegative, Positive};
use brink_config::registry::Entry;
use brink_generators::{Generator, Ours, PixelUpdate, Spec, Stage1, Stage2, Start, Stop};
use brink_models::Network;
use brink_verify::{LabelSpace, SensitiveSet, verify};
use serde_json::json;

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
    for entry in brink_generators::REGISTRY {
        resumes_to_the_same_bits(small(entry).generator(), entry.name);
    }
}

/// Where stage 1 ends by itself, a resumed job must remember what it saw at the last look.
#[test]
fn a_resumed_job_converges_where_an_undisturbed_one_does() {
    let dbi = dbi(
        4,
        Stage1 {
            // As often as it is interrupted: what the last look saw is in every saved state.
            patience: Count::literal(5),
            tolerance: NonNegative::literal(0.25),
            ..stage1(200)
        },
    );
    let made = generate(&dbi);
    assert_eq!(made.stop, Stop::Converged);
    assert!(made.iterations_used > 10, "{}", made.iterations_used);
    resumes_to_the_same_bits(&dbi, "dbi");
}

#[test]
fn every_open_choice_resumes_to_the_same_bits_and_makes_pairs_of_its_own() {
    let usual = generate(&ours()).set;
    for (name, choice) in choices() {
        let set = resumes_to_the_same_bits(&choice, name);
        assert!(set.images != usual.images, "{name} changes nothing");
        assert_eq!(set.label_space, LabelSpace::Head, "{name}");
        let head = set.head(&OWNER.key).unwrap();
        let target = Network::frozen(OWNER.target.model(), 10, &OWNER.weights, None).unwrap();
        let verdict = verify(&Deployed(target), &set, head.as_ref()).unwrap();
        assert_eq!(
            verdict.single.hits(),
            0,
            "{name}: labels are the verifier's"
        );
    }
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
        (whole.stop, whole.iterations_used, whole.queries),
        (parts.stop, parts.iterations_used, parts.queries),
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
            with(stage1(Start::Uniform, PixelUpdate::Sgd, 1e-2)),
        ),
        (
            "natural",
            with(stage1(Start::Natural, PixelUpdate::Sgd, 1e-2)),
        ),
        ("sign", with(stage1(Start::Normal, PixelUpdate::Sign, 1e-3))),
        ("adam", with(stage1(Start::Normal, PixelUpdate::Adam, 1e-2))),
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
fn bracketed_pairs_of_every_kind_resume_to_the_same_bits() {
    for fields in [
        json!({"margin": 1e-3}),
        json!({"width": 1e-3}),
        json!({"pixels": "uint8", "margin": 3e-4}),
        json!({"pixels": "uint8", "steps": 3}),
        // Three rounds of pairs.
        json!({"pixels": "uint8", "vernier": 1, "samples": 36}),
    ] {
        let mut spec = json!({"bracketed": {"samples": 4}});
        spec["bracketed"]
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let name = spec.to_string();
        let spec: Spec = serde_json::from_value(spec).unwrap();
        resumes_to_the_same_bits(spec.generator(), &name);
    }
}
