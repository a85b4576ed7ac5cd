//! What `brink watch` found so far, for Prometheus.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use brink_owner::{Entry, Verdict};
use tiny_http::{Header, Request, Response, Server};

const VERDICTS: [Verdict; 3] = [Verdict::Intact, Verdict::Changed, Verdict::CannotTell];

/// The figures of a watch.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Figures>>);

#[derive(Default)]
struct Figures {
    verdicts: [u64; VERDICTS.len()],
    alarms: u64,
    images: u64,
    last: Option<(Entry, f64)>,
}

impl Metrics {
    /// Answers `GET /metrics` at `address` from now on, in a thread of its own.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub fn serve(&self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let server = Server::http(address).map_err(|e| {
            anyhow::anyhow!("--metrics {address}: cannot listen there ({e}); give another address")
        })?;
        let bound = server.server_addr().to_ip().unwrap_or(address);
        let figures = self.clone();
        thread::spawn(move || {
            for request in server.incoming_requests() {
                figures.answer(request);
            }
        });
        Ok(bound)
    }

    fn answer(&self, request: Request) {
        let (status, text) = match request.url() {
            "/metrics" => (200, self.text()),
            _ => (404, "the figures are at /metrics\n".to_owned()),
        };
        let mut response = Response::from_string(text).with_status_code(status);
        if let Ok(header) = Header::from_bytes("Content-Type", "text/plain; version=0.0.4") {
            response = response.with_header(header);
        }
        // A reader that went away is no failure.
        let _ = request.respond(response);
    }

    /// Counts a verification.
    pub fn count(&self, entry: &Entry) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (count, verdict) in figures.verdicts.iter_mut().zip(VERDICTS) {
            *count += u64::from(entry.said.verdict == verdict);
        }
        figures.alarms += u64::from(entry.alarm);
        figures.images += entry.said.images;
        figures.last = Some((entry.clone(), now.map_or(0.0, |now| now.as_secs_f64())));
    }

    /// The text format of Prometheus, version 0.0.4.
    fn text(&self) -> String {
        let figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, values: &[(&str, f64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let labels = [
            "{verdict=\"intact\"}",
            "{verdict=\"changed\"}",
            "{verdict=\"cannot_tell\"}",
        ];
        let counts: Vec<(&str, f64)> = labels
            .into_iter()
            .zip(figures.verdicts.map(|n| n as f64))
            .collect();
        family(
            "brink_verifications_total",
            "counter",
            "Verifications by verdict.",
            &counts,
        );
        family(
            "brink_alarms_total",
            "counter",
            "Alarms: a second verdict \"changed\" in a row.",
            &[("", figures.alarms as f64)],
        );
        family(
            "brink_images_asked_total",
            "counter",
            "Images that the model was asked about.",
            &[("", figures.images as f64)],
        );
        let Some((entry, at)) = &figures.last else {
            return text;
        };
        let said = &entry.said;
        let is: Vec<(&str, f64)> = labels
            .into_iter()
            .zip(VERDICTS.map(|verdict| f64::from(u8::from(verdict == said.verdict))))
            .collect();
        family(
            "brink_verdict",
            "gauge",
            "1 for the verdict of the last verification.",
            &is,
        );
        for (name, help, value) in [
            (
                "brink_last_verification_timestamp_seconds",
                "When the last verification ended, in seconds since 1970.",
                *at,
            ),
            (
                "brink_pairs_asked",
                "Pairs that the last verification asked.",
                said.asked as f64,
            ),
            (
                "brink_pairs_flipped",
                "Those of them that flipped.",
                said.flipped.len() as f64,
            ),
            (
                "brink_p_value",
                "The p-value of \"untouched\" of the last verification.",
                said.p_value,
            ),
        ] {
            family(name, "gauge", help, &[("", value)]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_owner::Said;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn entry(verdict: Verdict, alarm: bool) -> Entry {
        Entry {
            at: String::new(),
            mark: String::new(),
            alarm,
            said: Said {
                verdict,
                images: 40,
                asked: 20,
                flipped: vec![1, 2],
                p_value: 0.25,
                ..Said::no_answer(String::new(), 1e-3)
            },
        }
    }

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_scrape_sees_the_last_verification_and_the_counts() {
        let metrics = Metrics::default();
        let address = metrics.serve("127.0.0.1:0".parse().unwrap()).unwrap();
        let before = get(address, "/metrics");
        assert!(before.contains("brink_verifications_total{verdict=\"intact\"} 0\n"));
        assert!(!before.contains("brink_p_value"), "{before}");
        metrics.count(&entry(Verdict::Intact, false));
        metrics.count(&entry(Verdict::Changed, false));
        metrics.count(&entry(Verdict::Changed, true));
        let after = get(address, "/metrics");
        for line in [
            "text/plain; version=0.0.4",
            "brink_verifications_total{verdict=\"intact\"} 1\n",
            "brink_verifications_total{verdict=\"changed\"} 2\n",
            "# TYPE brink_alarms_total counter\nbrink_alarms_total 1\n",
            "brink_images_asked_total 120\n",
            "brink_verdict{verdict=\"changed\"} 1\n",
            "brink_verdict{verdict=\"intact\"} 0\n",
            "brink_pairs_flipped 2\n",
            "brink_p_value 0.25\n",
        ] {
            assert!(after.contains(line), "{line}: {after}");
        }
        assert!(get(address, "/").starts_with("HTTP/1.0 404"));
        // The port is taken.
        let error = Metrics::default().serve(address).unwrap_err().to_string();
        assert!(error.ends_with("give another address"), "{error}");
    }
}
