//! Servers that do not behave: each gives a clear error, and none gives scores.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use brink_endpoint::{
    Encoding, Endpoint, Expected, Http, Kind, Lines, Process, Protocol, Settings, Token,
};
use brink_verify::Oracle;
use common::{Reply, Running, images, quick, scores};
use serde_json::json;

fn kserve() -> Protocol {
    Protocol::KServe {
        input: "input".to_owned(),
    }
}

/// What the oracle is set up for: two logits.
fn expected() -> Expected {
    Expected {
        kind: Some(Kind::Logits),
        classes: Some(2),
        ..Expected::default()
    }
}

/// The error of a server that always replies so.
fn error(reply: impl Fn() -> Reply + Send + 'static) -> String {
    let server = Running::new(move |_, _| reply());
    scores(&server.url(), &kserve(), quick(), expected(), 2).unwrap_err()
}

fn outputs(shape: &[usize], data: &str) -> String {
    format!(r#"{{"outputs": [{{"shape": {shape:?}, "datatype": "FP32", "data": {data}}}]}}"#)
}

#[test]
fn answers_that_say_nothing_are_errors() {
    let page = "<!DOCTYPE html>\n<html><h1>Log in</h1></html>";
    for (body, said) in [
        (
            page.to_owned(),
            "no JSON, which begins `<!DOCTYPE html> <html><h1>Log in",
        ),
        (String::new(), "no JSON"),
        ("{}".to_owned(), "no `outputs`"),
        (
            outputs(&[3, 2], "[1, 2, 3, 4, 5, 6]"),
            "3 answers for 2 images",
        ),
        (outputs(&[1, 2], "[1, 2]"), "1 answers for 2 images"),
        (
            outputs(&[2, 3], "[1, 2, 3, 4, 5, 6]"),
            "3 scores for an image of 2 classes",
        ),
        (
            outputs(&[2, 2], "[1, 2, 3]"),
            "instead of scores for each image",
        ),
        (outputs(&[0, 0], "[]"), "instead of scores for each image"),
        (outputs(&[2, 2], "[1, 2, 3, NaN]"), "no JSON"),
        (
            outputs(&[2, 2], "[1, 2, 3, null]"),
            "`null` is not a finite score",
        ),
        (outputs(&[2, 2], "[1, 2, 3, 1e39]"), "is not a finite score"),
        (
            outputs(&[2, 2], r#"[1, 2, 3, "NaN"]"#),
            "is not a finite score",
        ),
    ] {
        let told = error(move || Reply::of(200, body.clone()));
        assert!(told.contains(said), "{told}");
        assert!(
            told.contains("/model does not answer as expected"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn a_status_is_shown_with_the_begin_of_its_page() {
    let told = error(|| Reply::of(401, "who are you?"));
    assert!(
        told.ends_with("answers with status 401, which begins `who are you?`"),
        "{told}"
    );
}

#[test]
fn redirects_are_refused() {
    let told = error(|| Reply {
        headers: vec![("Location", "http://elsewhere.example/model".to_owned())],
        ..Reply::of(307, "")
    });
    assert!(
        told.contains("redirects to `http://elsewhere.example/model`"),
        "{told}"
    );
}

#[test]
fn a_slow_server_is_given_up() {
    let started = Instant::now();
    let told = error(|| Reply {
        after: Duration::from_millis(1500),
        ..Reply::of(200, outputs(&[2, 2], "[1, 2, 3, 4]"))
    });
    assert!(told.contains("cannot be reached"), "{told}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_answer_that_breaks_off_or_never_ends_is_refused() {
    for (length, said) in [
        ("1000", "an answer that breaks off"),
        ("70000000", "more than 67108864 bytes"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1 << 16]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{");
            stream.write_all(head.as_bytes()).unwrap();
            if length.len() > 4 {
                // Until the client has had enough.
                while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
            }
        });
        let patient = Settings {
            timeout: Duration::from_secs(20),
            ..quick()
        };
        let told = scores(
            &format!("http://{address}/model"),
            &kserve(),
            patient,
            expected(),
            2,
        );
        let told = told.unwrap_err();
        assert!(told.contains(said), "{told}");
        server.join().unwrap();
    }
}

#[test]
fn a_busy_server_is_asked_again_and_a_refusing_one_is_not() {
    for (status, requests) in [(429, 3), (503, 3), (504, 3), (500, 1), (404, 1)] {
        let server = Running::new(move |number, _| match number {
            0 | 1 => Reply::of(status, "busy"),
            _ => Reply::of(200, outputs(&[2, 2], "[1, 2, 3, 4]")),
        });
        let patient = Settings {
            retries: 2,
            ..quick()
        };
        let said = scores(&server.url(), &kserve(), patient, expected(), 2);
        assert_eq!(said.is_ok(), requests == 3, "{status}: {said:?}");
        assert_eq!(server.got().len(), requests, "{status}");
    }
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/model", listener.local_addr().unwrap());
    drop(listener);
    let told = scores(&url, &kserve(), quick(), expected(), 1).unwrap_err();
    assert!(told.contains("cannot be reached"), "{told}");
}

#[test]
fn the_rate_is_kept() {
    let server = Running::new(|_, _| Reply::of(200, outputs(&[1, 2], "[1, 2]")));
    let slow = Settings {
        rate: Some(10.0),
        ..quick()
    };
    let http = Http::new(&server.url(), &kserve(), slow).unwrap();
    let endpoint = Endpoint::open(Box::new(http), expected(), &images(1), 1).unwrap();
    let started = Instant::now();
    endpoint.logits(&images(4)).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(endpoint.asked(), 4);
}

#[test]
fn a_token_is_sent_and_never_shown() {
    let server = Running::new(|_, _| Reply::of(403, "no"));
    let secret = || Settings {
        token: Some(Token::new(" s3cr3t\n", "--token-env").unwrap()),
        ..quick()
    };
    let url = server.url() + "?key=hidden";
    let told = scores(&url, &kserve(), secret(), expected(), 1).unwrap_err();
    assert_eq!(
        server.got()[0].header("authorization"),
        Some("Bearer s3cr3t")
    );
    assert!(server.got()[0].path.ends_with("?key=hidden"));
    assert!(
        !told.contains("hidden") && !told.contains("s3cr3t"),
        "{told}"
    );
    assert!(!format!("{:?}", secret()).contains("s3cr3t"));
    let told = Token::new("two\nlines", "--token-env")
        .err()
        .unwrap()
        .to_string();
    assert!(
        told.starts_with("--token-env:") && !told.contains("lines"),
        "{told}"
    );
}

#[test]
fn addresses_that_are_none_are_refused_without_showing_them() {
    for url in [
        "nowhere",
        "ftp://host/model",
        "http://user:s3cr3t@host/model",
        "http://",
    ] {
        let told = Http::new(url, &kserve(), quick())
            .err()
            .unwrap()
            .to_string();
        assert!(
            told.starts_with("--url:") && !told.contains("s3cr3t"),
            "{told}"
        );
    }
}

fn process(script: &str) -> Result<Vec<f32>, String> {
    let process = Process::start(&format!("sh -c '{script}'"), Encoding::ChannelsFirst);
    let endpoint = Endpoint::open(Box::new(process.unwrap()), expected(), &images(2), 8);
    endpoint
        .unwrap()
        .logits(&images(2))
        .map_err(|e| e.to_string())
}

#[test]
fn a_process_answers_line_by_line() {
    let answers = json!({"answers": [[1, 2], [4, 3]]}).to_string();
    assert_eq!(
        process(&format!(
            "read x; echo \"{}\"",
            answers.replace('"', "\\\"")
        )),
        Ok(vec![1., 2., 4., 3.])
    );
    for (script, said) in [
        ("read x", "ended without an answer"),
        ("read x; echo hello", "it answered `hello`, not JSON"),
        ("read x; echo {}", "no array at `/answers`"),
        (
            "read x; echo \"{\\\"error\\\": \\\"out of memory\\\"}\"",
            "out of memory",
        ),
        (
            "read x; echo \"{\\\"answers\\\": [[1, 2]]}\"",
            "1 answers for 2 images",
        ),
    ] {
        let told = process(script).unwrap_err();
        assert!(told.contains(said), "{told}");
    }
    let error = |command| {
        Lines::start(command, "--program")
            .err()
            .unwrap()
            .to_string()
    };
    assert!(error("").contains("is not a command"));
    assert!(error("/nowhere/at/all").starts_with("--program: cannot start"));
}
