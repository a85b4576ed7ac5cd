//! `brink verify`: asks a served model pair by pair.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use brink_mark::Signed;
use brink_random::Stream;
use brink_verify::{Images, interview};
use clap::Args;

use crate::deployment::Deployment;
use crate::exit;
use crate::marks::Trusted;
use crate::said::Said;
use crate::say::say;
use crate::shown::Shown;

/// `brink verify`.
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    pub trusted: Trusted,
    #[command(flatten)]
    pub deployment: Deployment,
    #[command(flatten)]
    pub choice: Choice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which pairs are asked.
#[derive(Args)]
pub struct Choice {
    /// Ask only pairs that were never shown.
    #[arg(long)]
    fresh_only: bool,
    /// The seed of the pairs' order [default: random, so that nobody can foresee it].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Choice {
    /// The stream of the order.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn stream(&self) -> anyhow::Result<Stream> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("the system gives no random numbers")?,
        };
        Ok(Stream::new(seed))
    }
}

impl Verify {
    /// Verifies once.
    ///
    /// # Errors
    /// If the mark or a setting cannot be used.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let signed = self.trusted.read()?;
        let said = self.choice.ask(
            &self.trusted,
            &self.deployment,
            &signed,
            &mut self.choice.stream()?,
        )?;
        match self.json {
            true => say!("{}", serde_json::to_string_pretty(&said)?),
            false => say!("{said}"),
        }
        Ok(said.code())
    }
}

impl Choice {
    /// Asks until the risks of the mark allow a finding, and remembers what was shown.
    ///
    /// # Errors
    /// If a setting or the journal beside the mark cannot be used. A model that does not answer is no error.
    pub fn ask(
        &self,
        trusted: &Trusted,
        deployment: &Deployment,
        signed: &Signed,
        stream: &mut Stream,
    ) -> anyhow::Result<Said> {
        let (set, about) = (&signed.mark.set, &signed.mark.about);
        let risks = about.risks()?;
        let mut shown = Shown::beside(&trusted.path, &signed.id)?;
        let order = shown.order(set.samples(), self.fresh_only, stream);
        let (least, left) = (risks.least_pairs(), order.len());
        if (left as u64) < least {
            let or = match self.fresh_only {
                true => ", or leave out --fresh-only",
                false => "",
            };
            let path = trusted.path.display();
            let few = anyhow!(
                "{path}: {left} pairs are left to ask, and \"intact\" takes {least}; protect the model again{or}"
            );
            return Ok(Said::no_answer(&few, about.promise.false_alarm));
        }
        let how = deployment.how(Some(about))?;
        // The mark says what is to be known, so nothing is asked yet.
        let none = Images::new(set.images.shape(), Vec::new())?;
        let endpoint = deployment.open(&how, Some((about, set.classes)), &none)?;
        let anchors = &signed.mark.anchors;
        let asked = interview(&endpoint, set, anchors, &order, risks).map_err(anyhow::Error::from);
        let said = match asked {
            Ok(interview) => {
                shown.add(&interview.asked)?;
                Said::of(&interview, risks, about.promise.false_alarm, left)
            }
            Err(error) if exit::is_no_answer(&error) => {
                // It may have seen the first pairs before it failed.
                shown.add(&order[..least as usize])?;
                Said::no_answer(&error, about.promise.false_alarm)
            }
            Err(error) => return Err(error),
        };
        Ok(said)
    }
}
