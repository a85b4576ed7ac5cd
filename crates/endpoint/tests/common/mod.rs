//! A small server that answers as a test wants, also wrongly.

#![allow(dead_code)] // each test file uses its own part

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brink_endpoint::{Encoding, Endpoint, Error, Expected, Http, Protocol, Settings};
use brink_verify::{Images, Oracle};
use serde_json::Value;
use tiny_http::{Header, Response, Server};

/// What the server got.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer: status, headers, body, and how long it takes.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
}

impl Reply {
    pub fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            after: Duration::ZERO,
        }
    }

    pub fn json(json: &Value) -> Self {
        Self::of(200, json.to_string())
    }
}

/// A server that runs until it is dropped.
pub struct Running {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Running {
    /// Answers each request with `reply` of its number, from 0, and of what was sent.
    pub fn new(reply: impl Fn(usize, &Got) -> Reply + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let (requests, kept) = (server.clone(), got.clone());
        let count = AtomicUsize::new(0);
        let thread = thread::spawn(move || {
            for mut request in requests.incoming_requests() {
                let mut body = Vec::new();
                request.as_reader().read_to_end(&mut body).unwrap();
                let headers = request.headers().iter();
                let headers = headers.map(|it| (it.field.to_string(), it.value.to_string()));
                let sent = Got {
                    path: request.url().to_owned(),
                    headers: headers.collect(),
                    body,
                };
                let reply = reply(count.fetch_add(1, Ordering::SeqCst), &sent);
                kept.lock().unwrap().push(sent);
                thread::sleep(reply.after);
                let mut response = Response::from_data(reply.body).with_status_code(reply.status);
                for (name, value) in reply.headers {
                    response.add_header(Header::from_bytes(name, value).unwrap());
                }
                // A client that gave up is no failure of the server.
                let _ = request.respond(response);
            }
        });
        Self {
            server,
            thread: Some(thread),
            got,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/model", self.server.server_addr())
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Three channels of two rows and one column, in whole levels.
pub fn images(n: usize) -> Images {
    let pixels = (0..6 * n).map(|i| (i * 40 % 256) as f32 / 255.0);
    Images::new([3, 2, 1], pixels.collect::<Vec<f32>>()).unwrap()
}

pub fn quick() -> Settings {
    Settings {
        timeout: Duration::from_millis(500),
        retries: 0,
        backoff: Duration::from_millis(5),
        ..Settings::default()
    }
}

pub fn png() -> Settings {
    Settings {
        encoding: Encoding::Png,
        ..quick()
    }
}

/// The scores for `n` images.
pub fn scores(
    url: &str,
    protocol: &Protocol,
    settings: Settings,
    expected: Expected,
    n: usize,
) -> Result<Vec<f32>, String> {
    let ask = || -> Result<Vec<f32>, Error> {
        let http = Http::new(url, protocol, settings)?;
        let endpoint = Endpoint::open(Box::new(http), expected, &images(n), 64)?;
        let scores = endpoint.logits(&images(n));
        // Every error of this crate comes back as it is.
        scores.map_err(|e| *e.downcast::<Error>().unwrap())
    };
    ask().map_err(|e| e.to_string())
}
