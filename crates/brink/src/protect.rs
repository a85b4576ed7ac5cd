//! `brink protect`: makes pairs beside the decision boundary of a served model, measures its noise, and signs both.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brink_data::Split;
use brink_endpoint::Endpoint;
use brink_keys::Signer;
use brink_mark::{About, Promise};
use brink_owner::{Protected, Shown, Step, Wanted, more, promised, protect};
use brink_verify::{Images, LabelSpace, Oracle};
use clap::Args;

use crate::bar::Bar;
use crate::deployment::Deployment;
use crate::marks;
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
    #[arg(long, required_unless_present = "more")]
    shape: Option<Shape>,
    /// Who signs.
    #[arg(long, value_name = "NAME", required_unless_present = "more")]
    user: Option<String>,
    /// Add pairs to this mark, for the same model, instead of a new one.
    #[arg(long, value_name = "MARK", conflicts_with_all = ["shape", "user", "false_alarms", "change", "miss", "margin", "head"])]
    more: Option<PathBuf>,
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
    /// Place pairs at the boundary of a secret head behind the scores, so that nobody without the key knows where they lie.
    #[arg(long)]
    head: bool,
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
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("the system gives no random numbers")?,
        };
        let (protected, signer) = match &self.more {
            Some(mark) => self.more(mark, seed)?,
            None => self.anew(seed)?,
        };
        let bytes = protected.mark.to_bytes(&signer).context("the pairs")?;
        brink_owner::write(&self.out, &bytes)?;
        self.tell(&protected);
        Ok(())
    }

    fn anew(&self, seed: u64) -> anyhow::Result<(Protected, Signer)> {
        // The command line requires both.
        let (Some(shape), Some(user)) = (self.shape, &self.user) else {
            bail!("give --shape and --user");
        };
        let how = self.deployment.how(None)?;
        let wanted = Wanted {
            user: user.clone(),
            pairs: self.pairs.into(),
            promise: Promise {
                false_alarm: self.false_alarms,
                change: self.change,
                miss: self.miss,
            },
            margin: self.margin,
            head: self.head,
            seed,
            pixels: how.pixels,
            protocol: how.protocol.clone(),
        };
        // Fails on a share that is none, before any work.
        wanted.check()?;
        let signer = self.keyring.signer(user)?;
        let photographs = self.photographs(shape)?;
        let probed = self.deployment.batch().min(PROBED).min(photographs.len());
        let probed: Vec<usize> = (0..probed).collect();
        let probed = Images::new(photographs.shape(), photographs.images(&probed))?;
        let endpoint = self.deployment.open(&how, None, &probed)?;
        note_model(&endpoint);
        let protected = shown(|tell| protect(&endpoint, &photographs, &wanted, tell))?;
        Ok((protected, signer))
    }

    /// Adds pairs to the mark of `path`.
    fn more(&self, path: &Path, seed: u64) -> anyhow::Result<(Protected, Signer)> {
        let signed = marks::read(path, None, &self.keyring)?;
        let (set, about) = (&signed.mark.set, &signed.mark.about);
        let signer = self.keyring.signer(&about.user)?;
        let photographs = self.photographs(Shape(set.images.shape()))?;
        let how = self.deployment.how(Some(about))?;
        let none = Images::new(set.images.shape(), Vec::new())?;
        let endpoint = self
            .deployment
            .open(&how, Some((about, set.classes)), &none)?;
        note_model(&endpoint);
        let pairs = usize::from(self.pairs);
        let protected =
            shown(|tell| more(&endpoint, &photographs, &signed.mark, pairs, seed, tell))?;
        // Pairs that were shown stay so under the new signature.
        let old = Shown::beside(path, &signed.id)?.pairs();
        let id = brink_mark::Signed::from_bytes(&protected.mark.to_bytes(&signer)?)?.id;
        Shown::beside(&self.out, &id)?.add(&old)?;
        Ok((protected, signer))
    }

    fn photographs(&self, shape: Shape) -> anyhow::Result<Split> {
        let photographs = photographs::read(&self.images, shape)?;
        if photographs.len() < FEW {
            note!(
                "--images: {} photographs make pairs that are alike; give {FEW} or more",
                photographs.len()
            );
        }
        Ok(photographs)
    }

    fn tell(&self, Protected { mark, left_out }: &Protected) {
        let About {
            measured,
            queries,
            promise,
            ..
        } = &mark.about;
        let (pairs, dropped) = (mark.set.samples(), measured.dropped);
        let boundary = match mark.set.label_space {
            LabelSpace::Classes => "between classes",
            LabelSpace::Head => "of a secret head",
        };
        say!(
            "{}: {pairs} pairs at the boundary {boundary}, signed by {}",
            self.out.display(),
            mark.about.user
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

fn note_model(endpoint: &Endpoint) {
    note!(
        "{} answers with {} of {} classes",
        endpoint.place(),
        endpoint.kind(),
        endpoint.classes()
    );
}

/// Does some work, and shows its steps on standard error.
fn shown<T>(
    work: impl FnOnce(&mut dyn FnMut(Step)) -> Result<T, brink_owner::Error>,
) -> anyhow::Result<T> {
    let bar = Bar::new();
    let done = work(&mut |step| match step {
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
    Ok(done?)
}
