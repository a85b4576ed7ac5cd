//! `brink watch`: verifies again and again, and writes a journal.
//!
//! An alarm takes two verifications in a row that say "changed". The pairs of both are drawn anew, so an untouched model raises a false
//! alarm with the square of the risk of one verification. At 1 in 1,000 and one verification an hour, that takes a hundred years on
//! average, if the measured bound on the noise holds.
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
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
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
        // The last verdict on each mark: several may share a journal.
        let told = before
            .iter()
            .filter(|it| it.said.verdict != Verdict::CannotTell);
        let mut last: BTreeMap<String, Verdict> =
            told.map(|it| (it.mark.clone(), it.said.verdict)).collect();
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
            let alarm = changed && last.get(&signed.id) == Some(&Verdict::Changed);
            if said.verdict != Verdict::CannotTell {
                last.insert(signed.id.clone(), said.verdict);
            }
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
