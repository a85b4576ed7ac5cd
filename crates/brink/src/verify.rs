//! `brink verify`: asks a served model pair by pair.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use brink_mark::Signed;
use brink_owner::{Asked, Entry, Journal, Shown, ask, page};
use brink_random::Stream;
use brink_verify::Images;
use clap::Args;

use crate::deployment::Deployment;
use crate::exit;
use crate::marks::Trusted;
use crate::say::{note, say};

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
    /// Write a page with the verdict, the pairs and the noise to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The journal of `brink watch` whose lines the page shows as history.
    #[arg(long, value_name = "FILE", requires = "html")]
    journal: Option<PathBuf>,
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
        if let Some(html) = &self.html {
            brink_owner::check_folder(html)?;
        }
        let history: Vec<Entry> = match &self.journal {
            Some(path) => Journal::at(path).read()?,
            None => Vec::new(),
        };
        let asked = self.choice.ask(
            &self.trusted,
            &self.deployment,
            &signed,
            &mut self.choice.stream()?,
        )?;
        match self.json {
            true => say!("{}", serde_json::to_string_pretty(&asked.said)?),
            false => say!("{}", asked.said),
        }
        if let Some(html) = &self.html {
            // It shows pairs, so only its owner may read it.
            let text = page(&signed, &asked, &history)?;
            brink_owner::write(html, text.as_bytes())?;
            note!("{}: written", html.display());
        }
        Ok(exit::of(asked.said.verdict))
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
    ) -> anyhow::Result<Asked> {
        let (set, about) = (&signed.mark.set, &signed.mark.about);
        let mut shown = Shown::beside(&trusted.path, &signed.id)?;
        let how = deployment.how(Some(about))?;
        // The mark says what is to be known, so nothing is asked yet.
        let none = Images::new(set.images.shape(), Vec::new())?;
        let endpoint = deployment.open(&how, Some((about, set.classes)), &none)?;
        Ok(ask(signed, &mut shown, self.fresh_only, stream, &endpoint)?)
    }
}
