//! `brink calibrate`: what a deployment's own arithmetic does to the pairs of a mark.

use std::path::PathBuf;

use anyhow::bail;
use brink_mark::{About, Mark, Measured};
use brink_owner::{profiles, promised};
use brink_verify::{Images, Pairing, control};
use clap::Args;

use crate::deployment::Deployment;
use crate::marks::Trusted;
use crate::say::say;

/// `brink calibrate`.
#[derive(Args)]
pub struct Calibrate {
    #[command(flatten)]
    trusted: Trusted,
    #[command(flatten)]
    deployment: Deployment,
    /// Sign a mark for this deployment, with what was measured here, and write it to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Keep the mark for where it was made, and remember under this name how the untouched model answers here: `verify` then tells such
    /// answers from other weights.
    #[arg(long = "as", value_name = "NAME", requires = "out")]
    name: Option<String>,
}

impl Calibrate {
    /// Asks all pairs in each way. The model must be untouched: what flips counts as noise.
    ///
    /// # Errors
    /// If something must be corrected, or the model does not answer.
    pub fn run(&self) -> anyhow::Result<()> {
        if let Some(out) = &self.out
            && out.exists()
        {
            bail!(
                "--out {}: the file exists; give another name",
                out.display()
            );
        }
        let signed = self.trusted.read()?;
        let out = match &self.out {
            Some(out) => {
                brink_owner::check_folder(out)?;
                Some((out, self.trusted.keyring.signer(&signed.mark.about.user)?))
            }
            None => None,
        };
        let mark = signed.mark;
        let (set, about, head) = (&mark.set, &mark.about, mark.head());
        let how = self.deployment.how(Some(about))?;
        let none = Images::new(set.images.shape(), Vec::new())?;
        let endpoint = self
            .deployment
            .open(&how, Some((about, set.classes)), &none)?;
        let controls = control::reask(&endpoint, set, head.as_ref(), &Pairing::Own)?;
        for way in &controls {
            say!("{:<20}  {} pairs flipped", way.name, way.pair);
        }
        if let (Some(name), Some((out, signer))) = (&self.name, &out) {
            let profile = profiles::of_deployment(&endpoint, set, head.as_ref(), name)?;
            if !profiles::tells(set, &profile, about.promise.change) {
                bail!(
                    "--as {name}: {:.0} % of the pairs flip here, and answers that tell something flip {:.0} % or more, not all to one side; leave out --as",
                    100.0 * profiles::flips(set, &profile),
                    100.0 * about.promise.change
                );
            }
            let mut mark = mark.clone();
            let profiles = &mut mark.about.measured.profiles;
            profiles.retain(|known| known.name != profile.name);
            profiles.push(profile);
            brink_owner::write(out, &mark.to_bytes(signer)?)?;
            say!("{}: signed, with the profile `{name}`", out.display());
            return Ok(());
        }
        let [_, flipped] = control::alarms(&controls);
        let Ok(risks) = about.promise.risks(flipped) else {
            bail!(
                "{flipped} pairs flipped: this is not the untouched model, or it computes too differently; protect the untouched model here"
            );
        };
        let (least, all) = (risks.least_pairs(), set.samples() as u64);
        if least > all {
            bail!(
                "at this noise \"intact\" takes {least} pairs, and the mark has {all}; protect the model where it is deployed"
            );
        }
        say!(
            "{}; an intact model takes {} images",
            promised(about.promise.false_alarm),
            2 * least
        );
        if let Some((out, signer)) = out {
            let about = About {
                measured: Measured {
                    dropped: about.measured.dropped,
                    controls,
                    flipped,
                    profiles: about.measured.profiles.clone(),
                },
                pixels: how.pixels,
                protocol: how.protocol,
                ..about.clone()
            };
            let mark = Mark { about, ..mark };
            brink_owner::write(out, &mark.to_bytes(&signer)?)?;
            say!("{}: signed", out.display());
        }
        Ok(())
    }
}
