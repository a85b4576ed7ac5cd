//! `brink watch`: verifies again and again, and writes a journal.
//!
//! An alarm takes two verifications in a row that say "changed". The pairs of both are drawn anew, so an untouched model raises a false
//! alarm with the square of the risk of one verification. At 1 in 1,000 and one verification an hour, that takes a hundred years on
//! average, if the measured bound on the noise holds. A test simulates it.
//!
//! A verification that cannot tell is skipped over. The journal gets whole lines, so the process may end at any time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use brink_owner::{Entry, Journal, Verdict};
use clap::Args;

use crate::address;
use crate::deployment::Deployment;
use crate::exit;
use crate::marks::Trusted;
use crate::metrics::Metrics;
use crate::say::{note, say};
use crate::verify::Choice;

/// The wait before a second verification, after a first one says "changed".
const AGAIN: Duration = Duration::from_secs(1);

/// `brink watch`.
#[derive(Args)]
pub struct Watch {
    #[command(flatten)]
    trusted: Trusted,
    #[command(flatten)]
    deployment: Deployment,
    #[command(flatten)]
    choice: Choice,
    /// The time between two verifications, e.g. 1h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    every: Duration,
    /// The file of JSON lines to add to.
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// End after this many verifications [default: at an alarm].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    times: Option<u64>,
    /// Answer Prometheus at this address, e.g. 127.0.0.1:9187, and go on after an alarm.
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
}

/// The rule of alarms: two verifications in a row that say "changed". Several marks may share a journal, so each has its own last verdict.
#[derive(Default)]
struct Rule(BTreeMap<String, Verdict>);

impl Rule {
    /// Whether this verdict on `mark` is an alarm. One that cannot tell is skipped over.
    fn is_alarm(&mut self, mark: &str, verdict: Verdict) -> bool {
        if verdict == Verdict::CannotTell {
            return false;
        }
        let before = self.0.insert(mark.to_owned(), verdict);
        verdict == Verdict::Changed && before == Some(Verdict::Changed)
    }
}

impl Watch {
    /// Verifies until there is an alarm; with `--metrics`, until it is ended.
    ///
    /// # Errors
    /// If the mark, a setting or the journal cannot be used.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let journal = Journal::at(&self.journal);
        let before: Vec<Entry> = journal.read()?;
        journal.check()?;
        let mut rule = Rule::default();
        for entry in &before {
            rule.is_alarm(&entry.mark, entry.said.verdict);
        }
        let mut stream = self.choice.stream()?;
        let metrics = Metrics::default();
        if let Some(address) = self.metrics {
            let bound = metrics.serve(address)?;
            note!("figures for Prometheus at http://{bound}/metrics");
        }
        let (mut done, mut alarms) = (0, 0);
        loop {
            // Read each time: the owner may have replaced it.
            let signed = self.trusted.read()?;
            let asked = self
                .choice
                .ask(&self.trusted, &self.deployment, &signed, &mut stream)?;
            let said = asked.said;
            let changed = said.verdict == Verdict::Changed;
            let alarm = rule.is_alarm(&signed.id, said.verdict);
            let at = brink_store::now();
            say!(
                "{at}  {}{}",
                said.verdict,
                if alarm { ", alarm" } else { "" }
            );
            let code = match said.verdict {
                // One "changed" is no alarm yet.
                Verdict::Changed if !alarm => ExitCode::SUCCESS,
                verdict => exit::of(verdict),
            };
            let entry = Entry {
                at,
                mark: signed.id,
                alarm,
                said,
            };
            journal.add(&entry)?;
            metrics.count(&entry);
            done += 1;
            alarms += u64::from(alarm);
            // A process that ends at an alarm could not be asked about it.
            let ends = alarm && self.metrics.is_none();
            if ends || self.times.is_some_and(|times| done >= times) {
                return Ok(match alarms {
                    0 => code,
                    _ => exit::of(Verdict::Changed),
                });
            }
            thread::sleep(if changed {
                AGAIN.min(self.every)
            } else {
                self.every
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_random::Stream;
    use brink_verify::{Decision, Risks, Sequential};

    /// Verifications until the first alarm, of a model whose pairs flip at `rate`.
    fn until_alarm(risks: Risks, rate: f32, stream: &mut Stream) -> u32 {
        let mut rule = Rule::default();
        for time in 1.. {
            let mut test = Sequential::new(risks);
            let mut pair = || test.record(stream.uniform() < rate);
            let verdict = match (0..150).find_map(|_| pair()) {
                Some(Decision::Intact) => Verdict::Intact,
                Some(Decision::Changed) => Verdict::Changed,
                None => Verdict::CannotTell,
            };
            if rule.is_alarm("mark", verdict) {
                return time;
            }
        }
        unreachable!("every model is changed at some time")
    }

    #[test]
    fn simulated_false_alarms_are_as_rare_as_the_square_of_the_risk() {
        // A larger risk than usual, so that alarms happen. The untouched model is as noisy as its bound allows.
        let risk = 0.05;
        let risks = Risks::new(risk, 0.05, 0.25, 0.01).unwrap();
        let mut stream = Stream::new(11);
        let times = (0..400).map(|_| until_alarm(risks, 0.05, &mut stream));
        let mean = f64::from(times.sum::<u32>()) / 400.0;
        // The time is nearly exponential, so the mean of 400 has a standard error of 5 %.
        assert!(mean * 1.2 >= 1.0 / (risk * risk), "an alarm every {mean}");
        // A change is told at the second verification.
        let times = (0..400).map(|_| until_alarm(risks, 0.5, &mut stream));
        let mean = f64::from(times.sum::<u32>()) / 400.0;
        assert!(mean < 2.1, "an alarm after {mean}");
    }
}
