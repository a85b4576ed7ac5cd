//! An owner protects a served model and asks it again.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Owner, Served, example, finished};
use serde_json::Value;

/// What is said, without what differs from run to run.
fn said(text: &str, url: &str) -> String {
    text.replace(url, "URL")
}

#[test]
fn labels_through_png_tell_an_intact_model_from_a_changed_one() {
    let owner = Owner::new();
    let (mine, changed) = (
        Served::new("mine.safetensors", "labels"),
        Served::new("changed.safetensors", "labels"),
    );
    let made = owner.protect(&mine.url, &["--classes", "10", "--pixels", "png"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    insta::assert_snapshot!("protect_labels", said(&made.stdout, &mine.url));

    let intact = owner.verify(&mine.url, &[]);
    assert_eq!(intact.code, 0, "{intact:?}");
    insta::assert_snapshot!("verify_intact", intact.stdout);
    let found = owner.verify(&changed.url, &[]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.stdout.starts_with("changed\n"), "{}", found.stdout);
    let json = owner.verify(&changed.url, &["--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["verdict"], "changed");
    assert!(json["p_value"].as_f64().unwrap() <= 5e-4, "{json}");

    // Three verifications have shown some pairs.
    let inspected = owner.run(&["inspect", "model.brink"]);
    assert_eq!(inspected.code, 0, "{}", inspected.stderr);
    let shown: usize = fs::read_to_string(owner.path().join("model.brink.shown"))
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["pairs"]
                .as_array()
                .unwrap()
                .len()
        })
        .sum();
    assert!(
        inspected
            .stdout
            .contains(&format!("{} pairs were never shown", 150 - shown)),
        "{}",
        inspected.stdout
    );
    let calibrated = owner.run(&["calibrate", "model.brink", "--url", &mine.url]);
    assert_eq!(calibrated.code, 0, "{}", calibrated.stderr);
    insta::assert_snapshot!("calibrate", calibrated.stdout);
}

#[test]
fn scores_give_pairs_at_a_margin() {
    let owner = Owner::new();
    for (answers, out) in [
        ("logits", "logits.brink"),
        ("probabilities", "shares.brink"),
    ] {
        let mine = Served::new("mine.safetensors", answers);
        let changed = Served::new("changed.safetensors", answers);
        let made = owner.protect(&mine.url, &[&["--out", out][..], &FEW].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        assert!(
            made.stderr
                .contains(&format!("answers with {answers} of 10 classes")),
            "{}",
            made.stderr
        );
        let verify = |url: &str| owner.run(&["verify", out, "--url", url]).code;
        assert_eq!(
            (verify(&mine.url), verify(&changed.url)),
            (0, 1),
            "{answers}"
        );
    }
}

#[test]
fn a_third_party_verifies_with_the_public_key_only() {
    let owner = Owner::new();
    let weights = example("mine.safetensors");
    let weights = [
        "--weights",
        weights.to_str().unwrap(),
        "--model",
        "resnet20",
    ];
    let photos = example("photos");
    let made = owner.run(
        &[
            &[
                "protect",
                "--images",
                photos.to_str().unwrap(),
                "--shape",
                "3x32x32",
                "--user",
                "alice",
                "--pairs",
                "60",
            ],
            &weights[..],
        ]
        .concat(),
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    let public = owner.run(&["keys", "export", "alice"]).stdout;

    let stranger = tempfile::tempdir().unwrap();
    let mark = stranger.path().join("model.brink");
    fs::copy(owner.path().join("model.brink"), &mark).unwrap();
    let verify = |more: &[&str]| {
        let mut all = vec!["verify", "model.brink"];
        all.extend_from_slice(&weights);
        all.extend_from_slice(more);
        crate::common::run(stranger.path(), &all)
    };
    let unknown = verify(&[]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown
            .stderr
            .contains("no user of the repository; give --signer"),
        "{}",
        unknown.stderr
    );
    assert_eq!(verify(&["--signer", public.trim()]).code, 0);

    // One changed bit, anywhere.
    let whole = fs::read(&mark).unwrap();
    for at in [0, 20, 60, 120, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&mark, &damaged).unwrap();
        let refused = verify(&["--signer", public.trim()]);
        assert_eq!(refused.code, 2, "byte {at}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    fs::write(&mark, &whole).unwrap();

    // The owner's old mark stays valid after a rotation, and not after a revocation.
    let own = |arguments: &[&str]| owner.run(arguments).code;
    let again = [&["verify", "model.brink"], &weights[..]].concat();
    assert_eq!(own(&["keys", "rotate", "alice"]), 0);
    assert_eq!(own(&again), 0);
    assert_eq!(own(&["keys", "revoke", "alice"]), 0);
    assert_eq!(own(&again), 2);
    let named = [&again[..], &["--signer", public.trim()]].concat();
    assert_eq!(
        own(&named),
        2,
        "the repository knows that the key is revoked"
    );
    let exported = owner.run(&["keys", "export", "alice"]);
    assert_eq!(exported.code, 2, "{exported:?}");
}

#[test]
fn a_watch_ends_at_the_second_alarm_in_a_row() {
    let owner = Owner::new();
    let (mine, changed) = (
        Served::new("mine.safetensors", "labels"),
        Served::new("changed.safetensors", "labels"),
    );
    let made = owner.protect(&mine.url, &["--classes", "10", "--pairs", "60"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let watch = |url: &str, times: &str| {
        let every = [
            "watch",
            "model.brink",
            "--every",
            "10ms",
            "--journal",
            "watch.jsonl",
            "--retries",
            "0",
        ];
        owner.run(&[&every[..], &["--url", url, "--times", times]].concat())
    };
    assert_eq!(watch(&mine.url, "2").code, 0);
    // Most of the 60 pairs were shown.
    let spent = owner.verify(&mine.url, &["--fresh-only"]);
    assert_eq!(spent.code, 3, "{spent:?}");
    assert!(spent.stdout.contains("pairs are left to ask"), "{spent:?}");
    let journal = owner.path().join("watch.jsonl");
    // As after a process that was killed in the middle of a line.
    let torn = fs::read_to_string(&journal).unwrap() + "{\"at\":\"20";
    fs::write(&journal, torn).unwrap();
    // One "changed" is no alarm, and a server that is away does not hide it.
    assert_eq!(watch(&changed.url, "1").code, 0);
    let away = "http://127.0.0.1:1/v2/models/mine/infer";
    assert_eq!(watch(away, "1").code, 3);
    let alarm = watch(&changed.url, "9");
    assert_eq!(alarm.code, 1, "{alarm:?}");
    let lines = fs::read_to_string(&journal).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let verdicts: Vec<&str> = lines
        .iter()
        .map(|line| line["verdict"].as_str().unwrap())
        .collect();
    let expected = ["intact", "intact", "changed", "cannot_tell", "changed"];
    assert_eq!(verdicts, expected);
    let alarms: Vec<bool> = lines
        .iter()
        .map(|line| line["alarm"].as_bool().unwrap())
        .collect();
    assert_eq!(alarms, [false, false, false, false, true]);

    // Another mark in the same journal has verdicts of its own.
    let more = ["--classes", "10", "--pairs", "60", "--force"];
    assert_eq!(owner.protect(&mine.url, &more).code, 0);
    assert_eq!(watch(&changed.url, "1").code, 0);
    assert_eq!(watch(&changed.url, "1").code, 1);

    // Prometheus could not ask a process that ended.
    let metrics = owner.run(&[
        "watch",
        "model.brink",
        "--url",
        &changed.url,
        "--every",
        "10ms",
        "--journal",
        "metrics.jsonl",
        "--metrics",
        "127.0.0.1:0",
        "--times",
        "3",
    ]);
    assert_eq!(metrics.code, 1, "{metrics:?}");
    assert!(
        metrics
            .stderr
            .contains("figures for Prometheus at http://127.0.0.1:")
    );
    let lines = fs::read_to_string(owner.path().join("metrics.jsonl")).unwrap();
    assert_eq!(lines.matches("\"alarm\":true").count(), 2, "{lines}");
}

/// Few pairs allow larger risks only.
const FEW: [&str; 6] = ["--pairs", "40", "--false-alarms", "0.01", "--miss", "0.1"];

#[test]
fn pairs_at_a_secret_head_are_verified_through_it() {
    let owner = Owner::new();
    let mine = Served::new("mine.safetensors", "logits");
    let made = owner.protect(&mine.url, &[&["--head"][..], &FEW].concat());
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(
        made.stdout.contains("at the boundary of a secret head"),
        "{made:?}"
    );
    let inspected = owner.run(&["inspect", "model.brink"]).stdout;
    assert!(inspected.contains("labels of a secret head"), "{inspected}");
    assert_eq!(owner.verify(&mine.url, &[]).code, 0);
    let changed = Served::new("changed.safetensors", "logits");
    assert_eq!(owner.verify(&changed.url, &[]).code, 1);
    // The same seed gives the same key and pairs.
    let again = [&["--head", "--out", "again.brink"][..], &FEW].concat();
    assert_eq!(owner.protect(&mine.url, &again).code, 0);
    let tensors = |name: &str| {
        let bytes = fs::read(owner.path().join(name)).unwrap();
        bytes[bytes.len() - 40 * 2 * 3 * 32 * 32 * 4..].to_vec()
    };
    assert_eq!(tensors("model.brink"), tensors("again.brink"));
    let labels = Served::new("mine.safetensors", "labels");
    let refused = owner.protect(
        &labels.url,
        &["--head", "--classes", "10", "--out", "labels.brink"],
    );
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("a head needs scores; leave it out"),
        "{refused:?}"
    );
}

#[test]
fn more_pairs_keep_the_old_ones_and_what_was_shown() {
    let owner = Owner::new();
    let mine = Served::new("mine.safetensors", "labels");
    let made = owner.protect(&mine.url, &["--classes", "10", "--pairs", "60"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(owner.verify(&mine.url, &[]).code, 0);
    let unseen = |mark: &str| -> usize {
        let said = owner.run(&["inspect", mark]).stdout;
        let line = said.lines().find(|line| line.ends_with("were never shown"));
        let line = line.unwrap().trim();
        line.split(' ').next().unwrap().parse().unwrap()
    };
    let before = unseen("model.brink");
    assert!(before < 60);
    let photos = example("photos");
    let more = |url: &str, out: &str| {
        owner.run(&[
            "protect",
            "--more",
            "model.brink",
            "--url",
            url,
            "--images",
            photos.to_str().unwrap(),
            "--pairs",
            "30",
            "--seed",
            "5",
            "--out",
            out,
        ])
    };
    let added = more(&mine.url, "more.brink");
    assert_eq!(added.code, 0, "{added:?}");
    let all: usize = added.stdout.split(' ').nth(1).unwrap().parse().unwrap();
    assert!((85..=90).contains(&all), "{added:?}");
    assert_eq!(unseen("more.brink"), before + all - 60);
    let verified = owner.run(&["verify", "more.brink", "--url", &mine.url, "--fresh-only"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    // Pairs of another model would promise nothing.
    let changed = Served::new("changed.safetensors", "labels");
    let refused = more(&changed.url, "changed.brink");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("pairs flipped, and 0 when the model was protected"),
        "{refused:?}"
    );
    assert!(!owner.path().join("changed.brink").exists());
}

/// The same weights behind a gateway that rounds pixels are changed, but not necessarily the weights.
#[test]
fn answers_of_another_transport_are_told_from_other_weights() {
    let owner = Owner::new();
    let mine = Served::new("mine.safetensors", "logits");
    let made = owner.protect(&mine.url, &FEW);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let rounded = owner.verify(&mine.url, &["--pixels", "png"]);
    assert_eq!(rounded.code, 1, "{rounded:?}");
    assert!(
        rounded.stdout.starts_with("changed, as the protected model answers with pixels rounded to 8 bits; check the transport"),
        "{rounded:?}"
    );
    let changed = Served::new("changed.safetensors", "logits");
    let weights = owner.verify(&changed.url, &[]);
    assert!(weights.stdout.starts_with("changed\n"), "{weights:?}");

    // A name of the owner's for the same arithmetic takes the place of none.
    let out = ["--as", "our gateway", "--out", "gateway.brink"];
    let calibrated = owner.run(
        &[
            &[
                "calibrate",
                "model.brink",
                "--url",
                &mine.url,
                "--pixels",
                "png",
            ][..],
            &out,
        ]
        .concat(),
    );
    assert_eq!(calibrated.code, 0, "{calibrated:?}");
    let inspected = owner.run(&["inspect", "gateway.brink"]).stdout;
    assert!(inspected.contains("with our gateway, "), "{inspected}");
    let intact = owner.run(&["verify", "gateway.brink", "--url", &mine.url]);
    assert_eq!(
        intact.code, 0,
        "the mark is still for where it was made: {intact:?}"
    );
    let nothing = owner.run(
        &[
            &["calibrate", "model.brink", "--url", &mine.url][..],
            &["--as", "here", "--out", "here.brink"],
        ]
        .concat(),
    );
    assert_eq!(nothing.code, 2, "{nothing:?}");
    assert!(nothing.stderr.contains("leave out --as"), "{nothing:?}");
}

/// A program in any language answers line by line.
#[test]
fn a_program_is_a_model_too() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return;
    }
    let owner = Owner::new();
    // The label is how bright the image is.
    let script = "import json, sys\n\
        limit = float(sys.argv[1])\n\
        def mean(x): return sum(map(mean, x)) / len(x) if isinstance(x, list) else x\n\
        for line in sys.stdin:\n    \
            print(json.dumps({'answers': [int(mean(x) > limit) for x in json.loads(line)['images']]}), flush=True)\n";
    fs::write(owner.path().join("model.py"), script).unwrap();
    let photos = example("photos");
    let made = owner.run(&[
        "protect",
        "--program",
        "python3 model.py 0.3",
        "--classes",
        "2",
        "--images",
        photos.to_str().unwrap(),
        "--shape",
        "3x32x32",
        "--user",
        "alice",
        "--pairs",
        "60",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let verify = |program: &str| {
        owner
            .run(&["verify", "model.brink", "--program", program])
            .code
    };
    assert_eq!(verify("python3 model.py 0.3"), 0);
    assert_eq!(verify("python3 model.py 0.301"), 1);
    assert_eq!(verify("python3 -c 'print(7)'"), 3);
}

#[test]
fn secrets_are_in_no_output_and_no_file() {
    let owner = Owner::new();
    let mut command = crate::common::command(owner.path(), &["keys", "rotate", "alice"]);
    command.env("BRINK_PASSPHRASE", "another s3cr3t");
    let rotated = finished(command);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let list = owner.run(&["keys", "list"]);
    assert_eq!(list.stdout.lines().count(), 2, "{}", list.stdout);
    assert!(
        list.stdout.contains("retired") && list.stdout.contains("active"),
        "{}",
        list.stdout
    );
    for answer in [&rotated, &list] {
        assert!(!format!("{answer:?}").contains("s3cr3t"), "{answer:?}");
    }
}

/// A key from the environment signs without a repository, and only its public half is needed later.
#[test]
fn a_key_of_the_environment_signs() {
    let folder = tempfile::tempdir().unwrap();
    let weights = example("mine.safetensors");
    let photos = example("photos");
    let model = [
        "--weights",
        weights.to_str().unwrap(),
        "--model",
        "resnet20",
    ];
    let images = ["--images", photos.to_str().unwrap(), "--shape", "3x32x32"];
    let few = ["--pairs", "60", "--answers", "labels", "--user", "carol"];
    let protect = [&["protect"][..], &model, &images, &few].concat();
    let mut command = crate::common::command(folder.path(), &protect);
    command.env("BRINK_KEY", "5e".repeat(32));
    let made = finished(command);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(!format!("{made:?}").contains("5e5e"), "{made:?}");
    let inspected = crate::common::run(folder.path(), &["inspect", "model.brink"]).stdout;
    let signer = inspected
        .lines()
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap();
    let verify = |signer: &str| {
        let verify = [&["verify", "model.brink", "--signer", signer][..], &model].concat();
        crate::common::run(folder.path(), &verify).code
    };
    assert_eq!(verify(signer), 0);
    let other = "ed25519:QsHxeTbsa8S/vNJvhF3Gpjz2IjTMf4a9fdz+wE0Mzc4=";
    assert_eq!(verify(other), 2);
}

#[test]
fn an_onnx_file_is_a_model_too() {
    let owner = Owner::new();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../endpoint/tests/onnx/tiny.onnx");
    let mut bytes = fs::read(&tiny).unwrap();
    fs::write(owner.path().join("mine.onnx"), &bytes).unwrap();
    // The matrix follows its name, the tag of raw data and their length.
    let name = b"matrix\x4a";
    let at = bytes.windows(name.len()).position(|it| it == name).unwrap() + name.len() + 1;
    let weight = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes[at..at + 4].copy_from_slice(&(weight + 0.01).to_le_bytes());
    fs::write(owner.path().join("changed.onnx"), &bytes).unwrap();
    // Saturated colours, since the network is random.
    let mut stream = brink_random::Stream::new(1);
    fs::create_dir(owner.path().join("colours")).unwrap();
    for number in 0..200 {
        let mut level = || if stream.below(2) == 0 { 0 } else { 255 };
        let image = image::RgbImage::from_fn(4, 4, |_, _| image::Rgb([level(), level(), level()]));
        image
            .save(owner.path().join(format!("colours/{number}.png")))
            .unwrap();
    }
    let made = owner.run(&[
        "protect",
        "--onnx",
        "mine.onnx",
        "--images",
        "colours",
        "--shape",
        "3x4x4",
        "--user",
        "alice",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let verify = |file: &str| owner.run(&["verify", "model.brink", "--onnx", file]);
    assert_eq!(verify("mine.onnx").code, 0);
    assert_eq!(verify("changed.onnx").code, 1);

    let page = owner.run(&[
        "verify",
        "model.brink",
        "--onnx",
        "changed.onnx",
        "--html",
        "found.html",
    ]);
    assert_eq!(page.code, 1, "{}", page.stderr);
    let html = fs::read_to_string(owner.path().join("found.html")).unwrap();
    assert!(
        html.contains("<h1 class=\"changed\">changed</h1>"),
        "{html}"
    );
    assert!(html.contains("<strong>flipped</strong>") && html.contains("data:image/png"));
    let absent = owner.run(&[
        "verify",
        "model.brink",
        "--onnx",
        "mine.onnx",
        "--html",
        "absent/found.html",
    ]);
    assert_eq!(absent.code, 2, "{absent:?}");
}
