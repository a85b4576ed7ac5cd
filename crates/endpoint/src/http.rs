//! A model behind an HTTP server.
//!
//! A request goes out again after a failed connection and after the statuses 429, 502, 503 and 504. Redirects are refused, because a
//! token and secret images must not travel on. Answers are limited in size.

mod api;
mod custom;
mod huggingface;
mod kserve;
mod mlflow;
mod protocol;
mod tensorflow;
mod token;
mod torchserve;

pub(crate) use api::listed;
pub use protocol::Protocol;
pub use token::Token;

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use brink_verify::Images;
use serde_json::Value;
use ureq::http::{Response, Uri, header};
use ureq::{Agent, Body};

use crate::{Answer, Deployed, Encoding, Error};
use api::{Api, Request};

/// The longest answer, in bytes. The logits of 1,000 images of 1,000 classes take 20 MB as JSON.
const LONGEST: u64 = 64 << 20;

/// The characters of an unexpected answer that an error shows.
const SHOWN: usize = 80;

/// How a server is asked.
#[derive(Debug)]
pub struct Settings {
    /// How pixels travel.
    pub encoding: Encoding,
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// How often a request goes out again.
    pub retries: u32,
    /// The wait before the first of them; it doubles each time.
    pub backoff: Duration,
    /// The most requests in a second, if there is a limit.
    pub rate: Option<f64>,
    /// What the server asks for.
    pub token: Option<Token>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encoding: Encoding::ChannelsFirst,
            timeout: Duration::from_secs(30),
            retries: 4,
            backoff: Duration::from_millis(500),
            rate: None,
            token: None,
        }
    }
}

/// A server.
pub struct Http {
    agent: Agent,
    url: String,
    api: Box<dyn Api>,
    settings: Settings,
    /// When the last request went out.
    last: Cell<Option<Instant>>,
}

impl Http {
    /// The server at `url`, which is asked in `protocol`. Nothing is sent yet.
    ///
    /// # Errors
    /// If the address is not one of HTTP, or holds a password. If the protocol has no place for images, or cannot carry the encoding.
    pub fn new(url: &str, protocol: &Protocol, settings: Settings) -> Result<Self, Error> {
        // The address may hold a secret, so no error shows it before it is checked.
        let refused = |problem: &str| Error::Setting {
            field: "--url",
            problem: problem.to_owned(),
        };
        let uri: Uri = url
            .parse()
            .map_err(|_| refused("not an address; write it as http://host:port/path"))?;
        let host = uri.authority().map_or("", |host| host.as_str());
        if !matches!(uri.scheme_str(), Some("http" | "https")) || host.is_empty() {
            return Err(refused("not an address; write it as http://host:port/path"));
        }
        if host.contains('@') {
            let fix = "the address holds a user or a password; give a token with --token-file";
            return Err(refused(fix));
        }
        if settings
            .rate
            .is_some_and(|rate| !(rate > 0.0 && rate.is_finite()))
        {
            return Err(Error::Setting {
                field: "--rate",
                problem: "give a number of requests a second above 0".to_owned(),
            });
        }
        let api = protocol.api()?;
        api.fits(settings.encoding)?;
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Ok(Self {
            agent: config.into(),
            url: url.to_owned(),
            api,
            settings,
            last: Cell::new(None),
        })
    }

    /// Asks about images that fit into one request.
    fn request(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        let request = self.api.request(images, self.settings.encoding)?;
        let body = self.answered(&request)?;
        let json: Value = serde_json::from_slice(&body).map_err(|_| {
            let begins = begin(&body);
            self.unexpected(format!("no JSON{begins}"))
        })?;
        let answers = self.api.answers(&json);
        let answers = answers.map_err(|problem| self.unexpected(problem))?;
        match (answers.len(), images.len()) {
            (got, sent) if got == sent => Ok(answers),
            (got, sent) => Err(self.unexpected(format!("{got} answers for {sent} images"))),
        }
    }

    /// The body of the server's answer, after as many tries as it takes.
    fn answered(&self, request: &Request) -> Result<Vec<u8>, Error> {
        let mut wait = self.settings.backoff;
        let mut left = self.settings.retries;
        loop {
            self.keep_rate();
            let failed = match self.send(request) {
                Ok(response) if !is_passing(response.status().as_u16()) => {
                    return self.read(response);
                }
                Ok(response) => self.refused(response),
                Err(error) if is_final(&error) => return Err(self.unreachable(&error)),
                Err(error) => self.unreachable(&error),
            };
            if left == 0 {
                return Err(failed);
            }
            left -= 1;
            thread::sleep(wait);
            wait *= 2;
        }
    }

    fn send(&self, request: &Request) -> Result<Response<Body>, ureq::Error> {
        let mut sent = self
            .agent
            .post(&self.url)
            .header(header::CONTENT_TYPE, request.content_type);
        if let Some(token) = &self.settings.token {
            sent = sent.header(header::AUTHORIZATION, token.header().as_str());
        }
        sent.send(&request.body[..])
    }

    fn read(&self, mut response: Response<Body>) -> Result<Vec<u8>, Error> {
        if response.status().is_redirection() {
            let to = response.headers().get(header::LOCATION);
            let to = to.and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            return Err(Error::Redirect {
                place: self.place(),
                to: to.chars().take(SHOWN).collect(),
            });
        }
        if !response.status().is_success() {
            return Err(self.refused(response));
        }
        let body = response.body_mut().with_config().limit(LONGEST);
        body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => {
                self.unexpected(format!("an answer of more than {limit} bytes"))
            }
            error => self.unexpected(format!("an answer that breaks off ({error})")),
        })
    }

    fn refused(&self, mut response: Response<Body>) -> Error {
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 16);
        Error::Status {
            place: self.place(),
            status,
            begins: begin(&body.read_to_vec().unwrap_or_default()),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Error {
        Error::Unreachable {
            place: self.place(),
            problem: error.to_string(),
        }
    }

    fn unexpected(&self, problem: String) -> Error {
        Error::Answer {
            place: self.place(),
            problem,
        }
    }

    /// Waits until the next request may go out.
    fn keep_rate(&self) {
        if let (Some(rate), Some(last)) = (self.settings.rate, self.last.get()) {
            let apart = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
            thread::sleep(apart.saturating_sub(last.elapsed()));
        }
        self.last.set(Some(Instant::now()));
    }
}

impl Deployed for Http {
    /// The address without its query, which may hold a secret.
    fn place(&self) -> String {
        self.url
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        if !self.api.one_by_one() {
            return self.request(images);
        }
        let mut answers = Vec::with_capacity(images.len());
        for image in 0..images.len() {
            answers.extend(self.request(&images.select(&[image]))?);
        }
        Ok(answers)
    }
}

/// Whether a status says that the same request may succeed later.
fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Whether another try cannot succeed.
fn is_final(error: &ureq::Error) -> bool {
    !matches!(
        error,
        ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
    )
}

/// A phrase with the begin of an unexpected answer, in one line.
fn begin(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(SHOWN).collect();
    let text = text.replace(|c: char| c.is_control(), " ");
    match text.is_empty() {
        true => String::new(),
        false => format!(", which begins `{text}`"),
    }
}
