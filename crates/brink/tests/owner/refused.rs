//! Bad input gets one clear line and exit code 2; a model that does not answer gets exit code 3.

use std::fs;
use std::thread;

use crate::common::{Answer, Owner, Served, example};
use serde_json::{Value, json};
use tiny_http::{Response, Server};

/// The one line of an error.
fn line(answer: &Answer, code: i32) -> String {
    assert_eq!(answer.code, code, "{answer:?}");
    assert!(answer.stdout.is_empty(), "{answer:?}");
    let line = answer.stderr.lines().last().unwrap();
    assert!(line.starts_with("error: "), "{answer:?}");
    line.to_owned()
}

#[test]
fn images_that_cannot_be_used_are_named() {
    let owner = Owner::new();
    let protect = |folder: &str| {
        owner.run(&[
            "protect",
            "--url",
            "http://127.0.0.1:9/model",
            "--images",
            folder,
            "--shape",
            "3x32x32",
            "--user",
            "alice",
        ])
    };
    let missing = line(&protect("nowhere"), 2);
    assert!(
        missing.contains("--images nowhere: No such file"),
        "{missing}"
    );
    let photos = owner.path().join("photos");
    fs::create_dir(&photos).unwrap();
    let few = line(&protect("photos"), 2);
    assert!(few.contains("0 files end in .png"), "{few}");
    for name in ["a.png", "b.png"] {
        fs::copy(example("photos/000.png"), photos.join(name)).unwrap();
    }
    fs::write(photos.join("c.jpg"), "no photograph").unwrap();
    let damaged = line(&protect("photos"), 2);
    assert!(damaged.contains("the image photos/c.jpg:"), "{damaged}");
}

#[test]
fn options_that_cannot_be_are_refused_before_any_work() {
    let owner = Owner::new();
    let url = "http://127.0.0.1:9/model";
    for (more, said) in [
        (&["--false-alarms", "0"][..], "the false-alarm risk is 0"),
        (&["--change", "1.5"], "the flip rate to detect is 1.5"),
        (
            &["--api", "torchserve", "--pixels", "channels-first"],
            "takes png only",
        ),
        (&["--rate", "0"], "--rate: give a number"),
        (
            &["--token-env", "BRINK_NO_SUCH_TOKEN"],
            "the variable BRINK_NO_SUCH_TOKEN",
        ),
        (
            &[
                "--api",
                "custom",
                "--template",
                "none.json",
                "--answer",
                "/a",
            ],
            "--template none.json",
        ),
    ] {
        let told = line(&owner.protect(url, more), 2);
        assert!(told.contains(said), "{told}");
    }
    let user = owner.run(&["keys", "export", "bob"]);
    assert_eq!(
        line(&user, 2),
        "error: there is no user `bob`; known: alice"
    );
    let address = line(&owner.protect("http://me:s3cr3t@host/", &[]), 2);
    assert!(!address.contains("s3cr3t"), "{address}");
    fs::write(owner.path().join("model.brink"), "mine").unwrap();
    let exists = line(&owner.protect(url, &[]), 2);
    assert!(
        exists.contains("--out model.brink: the file exists"),
        "{exists}"
    );
    let foreign = line(&owner.verify(url, &[]), 2);
    assert!(
        foreign.contains("model.brink: not a file of `brink protect`"),
        "{foreign}"
    );
    let usage = owner.run(&["verify", "model.brink"]);
    assert_eq!(usage.code, 2, "{usage:?}");
}

#[test]
fn devices_that_cannot_be_used_are_refused_before_any_work() {
    let owner = Owner::new();
    let url = "http://127.0.0.1:9/model";
    for more in [["--device", "cuda"], ["--gpu-memory", "50%"]] {
        let elsewhere = line(&owner.protect(url, &more), 2);
        assert_eq!(
            elsewhere,
            "error: --device and --gpu-memory are for the network of --weights; leave them out"
        );
    }
    let unknown = owner.run(&["example", "example", "--device", "gpu"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown
            .stderr
            .contains("there are auto, auto:N, cpu, cuda and cuda:N")
    );
    // No machine has so many.
    let refused = line(
        &owner.run(&["example", "example", "--device", "cuda:1000"]),
        2,
    );
    assert!(
        refused.starts_with("error: --device cuda:1000: "),
        "{refused}"
    );
    assert!(refused.ends_with("; use --device cpu"), "{refused}");
    assert!(!owner.path().join("example").exists());
}

/// A server that always sends the same.
fn always(body: &'static str) -> String {
    let server = Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}/model", server.server_addr());
    thread::spawn(move || {
        for request in server.incoming_requests() {
            let _ = request.respond(Response::from_string(body));
        }
    });
    url
}

/// A server that gives every image the same label.
fn constant(label: u32) -> String {
    let server = Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}/model", server.server_addr());
    thread::spawn(move || {
        for mut request in server.incoming_requests() {
            let asked: Value = serde_json::from_reader(request.as_reader()).unwrap();
            let n = asked["inputs"][0]["shape"][0].as_u64().unwrap() as usize;
            let output = json!({"shape": [n], "datatype": "INT64", "data": vec![label; n]});
            let answer = json!({"outputs": [output]}).to_string();
            let _ = request.respond(Response::from_string(answer));
        }
    });
    url
}

#[test]
fn a_model_that_does_not_answer_is_neither_intact_nor_changed() {
    let owner = Owner::new();
    let mine = Served::new("mine.safetensors", "labels");
    let made = owner.protect(&mine.url, &["--classes", "10", "--pairs", "60"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let url = mine.url.clone();
    drop(mine);
    for (url, said) in [
        (url, "cannot be reached"),
        (
            always("<html>Log in</html>"),
            "no JSON, which begins `<html>Log in</html>`",
        ),
        (always(r#"{"outputs": []}"#), "no `outputs`"),
        (
            always(r#"{"outputs": [{"shape": [2], "datatype": "INT64", "data": [11, 11]}]}"#),
            "label 11",
        ),
        (
            always(r#"{"outputs": [{"shape": [3], "datatype": "INT64", "data": [1, 1, 1]}]}"#),
            "3 answers for 2 images",
        ),
        (constant(4), "every image was answered with label 4"),
    ] {
        let told = owner.verify(&url, &["--retries", "0"]);
        assert_eq!(told.code, 3, "{told:?}");
        assert!(told.stdout.starts_with("cannot tell: "), "{told:?}");
        assert!(told.stdout.contains(said), "{told:?}");
        assert!(told.stderr.is_empty(), "{told:?}");
    }
    let refused = owner.protect(
        &always("hello"),
        &["--classes", "10", "--out", "other.brink", "--retries", "0"],
    );
    let told = line(&refused, 3);
    assert!(told.contains("no JSON, which begins `hello`"), "{told}");
    assert!(!owner.path().join("other.brink").exists());
}
