//! `brink protect`: makes pairs beside the decision boundary of a served model, measures its noise, and signs both.

use std::path::PathBuf;

use anyhow::{Context, bail};
use brink_mark::{About, Promise};
use brink_owner::{Protected, Step, Wanted, promised, protect};
use brink_verify::{Images, Oracle};
use clap::Args;

use crate::bar::Bar;
use crate::deployment::Deployment;
use crate::photographs::{self, Shape};
use crate::say::{note, say};
use crate::secret::Keyring;

/// `brink protect`.
#[derive(Args)]
pub struct Protect {
    #[command(flatten)]
    deployment: Deployment,
    /// A folder of PNG or JPEG photographs, of what the model usually sees.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The model's input: channels, height and width, e.g. 3x224x224.
    #[arg(long)]
    shape: Shape,
    /// Who signs.
    #[arg(long, value_name = "NAME")]
    user: String,
    #[command(flatten)]
    keyring: Keyring,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "model.brink")]
    out: PathBuf,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
    /// The number of pairs. A verification of an untouched model usually takes 20.
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u16).range(10..=10_000))]
    pairs: u16,
    /// The share of verifications that may raise a false alarm.
    #[arg(long, value_name = "SHARE", default_value_t = 1e-3)]
    false_alarms: f64,
    /// The smallest share of pairs whose flipping is to be detected.
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    change: f64,
    /// The risk of missing such a change.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    miss: f64,
    /// The distance of each image from the boundary, where the model answers with scores [default: four times the noise].
    #[arg(long, value_name = "MARGIN")]
    margin: Option<f64>,
    /// The seed of the pairs [default: random, so that nobody can make them again].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Photographs that show what the answers are.
const PROBED: usize = 8;
/// With fewer photographs, pairs repeat their starting images.
const FEW: usize = 100;

impl Protect {
    /// Protects the model.
    ///
    /// # Errors
    /// If something must be corrected, or the model does not answer.
    pub fn run(&self) -> anyhow::Result<()> {
        if self.out.exists() && !self.force {
            bail!(
                "--out {}: the file exists; give another name, or --force",
                self.out.display()
            );
        }
        brink_owner::check_folder(&self.out)?;
        let how = self.deployment.how(None)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("the system gives no random numbers")?,
        };
        let wanted = Wanted {
            user: self.user.clone(),
            pairs: self.pairs.into(),
            promise: Promise {
                false_alarm: self.false_alarms,
                change: self.change,
                miss: self.miss,
            },
            margin: self.margin,
            seed,
            pixels: how.pixels,
            protocol: how.protocol.clone(),
        };
        // Fails on a share that is none, before any work.
        wanted.check()?;
        let signer = self.keyring.signer(&self.user)?;
        let photographs = photographs::read(&self.images, self.shape)?;
        if photographs.len() < FEW {
            note!(
                "--images: {} photographs make pairs that are alike; give {FEW} or more",
                photographs.len()
            );
        }
        let probed = self.deployment.batch().min(PROBED).min(photographs.len());
        let probed: Vec<usize> = (0..probed).collect();
        let probed = Images::new(photographs.shape(), photographs.images(&probed))?;
        let endpoint = self.deployment.open(&how, None, &probed)?;
        note!(
            "{} answers with {} of {} classes",
            endpoint.place(),
            endpoint.kind(),
            endpoint.classes()
        );
        let bar = Bar::new();
        let protected = protect(&endpoint, &photographs, &wanted, &mut |step| match step {
            Step::Noise(noise) => {
                note!("asked in other ways, its scores move by up to {noise:.1e}");
            }
            Step::Pairs(done, total) => bar.show(done, total),
            Step::Made(pairs) => {
                bar.clear();
                note!("made {pairs} pairs; asking them again in other ways");
            }
        });
        bar.clear();
        let protected = protected?;
        let bytes = protected.mark.to_bytes(&signer).context("the pairs")?;
        brink_owner::write(&self.out, &bytes)?;
        self.tell(&protected);
        Ok(())
    }

    fn tell(&self, Protected { mark, left_out }: &Protected) {
        let About {
            measured,
            queries,
            promise,
            ..
        } = &mark.about;
        let (pairs, dropped) = (mark.set.samples(), measured.dropped);
        say!(
            "{}: {pairs} pairs, signed by {}",
            self.out.display(),
            self.user
        );
        say!(
            "  {queries} images asked, {:.1} a pair",
            *queries as f64 / pairs as f64
        );
        if dropped > 0 || *left_out > 0 {
            say!(
                "  left out: {dropped} pairs that flipped when they were asked again, {left_out} that could not be placed"
            );
        }
        say!(
            "  untouched, {} pairs flipped in batches of 1, of 7, of all, and in reversed order",
            measured.flipped
        );
        say!("  promised: {}", promised(promise.false_alarm));
        if let Ok(risks) = mark.about.risks() {
            let images = 2 * risks.least_pairs();
            say!("  an intact model takes {images} images");
        }
    }
}
