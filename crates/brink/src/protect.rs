//! `brink protect`: makes pairs beside the decision boundary of a served model, measures its noise, and signs both.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use brink_config::checked::{NonNegative, Samples};
use brink_data::Split;
use brink_endpoint::{Endpoint, Kind};
use brink_generators::{Asked, Bracketed, Generated, PixelValues};
use brink_mark::{About, Mark, Promise};
use brink_random::Stream;
use brink_verify::{Images, LabelSpace, Oracle};
use clap::Args;

use crate::anchors::anchors;
use crate::deployment::{Deployment, How};
use crate::exit;
use crate::marks;
use crate::noise;
use crate::photographs::{self, Shape};
use crate::said::promised;
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

/// The smallest margin by default. It keeps a set quiet in each of 14 engines on ResNet-20 (experiments/false-alarms).
const LEAST_MARGIN: f64 = 3e-4;
/// How far a margin lies above the largest noise that was seen.
const ABOVE_NOISE: f64 = 4.0;
/// Photographs that show the noise of scores.
const NOISE_IMAGES: usize = 64;

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
        marks::check_folder(&self.out)?;
        let promise = Promise {
            false_alarm: self.false_alarms,
            change: self.change,
            miss: self.miss,
        };
        // Fails on a share that is none, before any work.
        brink_verify::Risks::new(
            promise.false_alarm,
            f64::MIN_POSITIVE,
            promise.change,
            promise.miss,
        )?;
        let signer = self.keyring.signer(&self.user)?;
        let photographs = photographs::read(&self.images, self.shape)?;
        let how = self.deployment.how(None)?;
        let probed = first(&photographs, self.deployment.batch().min(8))?;
        let endpoint = self.deployment.open(&how, None, &probed)?;
        note!(
            "{} answers with {} of {} classes",
            endpoint.place(),
            endpoint.kind(),
            endpoint.classes()
        );
        let settings = self.settings(&endpoint, &how, &photographs)?;
        let made = self.mark(&endpoint, how, &photographs, settings, promise);
        let (mark, left_out) = made.map_err(|error| {
            // A model that does not answer is not asked once more.
            let answers = !exit::is_no_answer(&error);
            let fix = answers.then(|| one_label(&endpoint, &photographs));
            fix.flatten().map_or(error, |fix| anyhow!(fix))
        })?;
        let bytes = mark.to_bytes(&signer).context("the pairs")?;
        marks::write(&self.out, &bytes)?;
        self.tell(&mark, left_out);
        Ok(())
    }

    /// Where the pairs lie: in whole levels if the model tells labels only or sees 8 bits, else at a margin outside the noise.
    fn settings(
        &self,
        endpoint: &Endpoint,
        how: &How,
        photographs: &Split,
    ) -> anyhow::Result<Bracketed> {
        let in_levels = how.pixels.is_eight_bit() || endpoint.kind() == Kind::Labels;
        let margin = match (self.margin, in_levels) {
            (Some(_), _) if endpoint.kind() == Kind::Labels => {
                bail!(
                    "--margin: the model answers with labels only, which have no margin; leave it out"
                )
            }
            (Some(margin), _) => NonNegative::new(margin).context("--margin")?,
            (None, true) => NonNegative::literal(0.0),
            (None, false) => {
                let noise = noise::of_scores(endpoint, &first(photographs, NOISE_IMAGES)?)?;
                note!("asked in other ways, its scores move by up to {noise:.1e}");
                NonNegative::new((ABOVE_NOISE * noise).max(LEAST_MARGIN))?
            }
        };
        Ok(Bracketed {
            samples: Samples::new(self.pairs.into())?,
            pixels: if in_levels {
                PixelValues::Uint8
            } else {
                PixelValues::Float32
            },
            margin,
            ..Bracketed::default()
        })
    }

    /// The mark, and the number of pairs that could not be placed.
    fn mark(
        &self,
        endpoint: &Endpoint,
        how: How,
        photographs: &Split,
        settings: Bracketed,
        promise: Promise,
    ) -> anyhow::Result<(Mark, usize)> {
        let made = self.made(endpoint, photographs, &settings)?;
        note!(
            "made {} pairs; asking them again in other ways",
            made.set.samples()
        );
        let (set, measured) = noise::of_pairs(endpoint, made.set)?;
        let risks = promise.risks(measured.flipped)?;
        let (pairs, least) = (set.samples(), risks.least_pairs());
        if (pairs as u64) < least {
            bail!(
                "{pairs} steady pairs are left, and \"intact\" takes {least}; raise --pairs to {}",
                4 * least
            );
        }
        let anchors = anchors(endpoint, photographs)?;
        let about = About {
            user: self.user.clone(),
            created: brink_store::now(),
            answers: endpoint.kind(),
            pixels: how.pixels,
            protocol: how.protocol,
            names: endpoint.names(),
            settings: serde_json::to_value(&settings)?,
            queries: endpoint.asked(),
            measured,
            promise,
        };
        let mark = Mark {
            set,
            anchors,
            about,
        };
        Ok((mark, made.uncrossed))
    }

    fn made(
        &self,
        endpoint: &Endpoint,
        photographs: &Split,
        settings: &Bracketed,
    ) -> anyhow::Result<Generated> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("the system gives no random numbers")?,
        };
        let mut job = settings.ask(Asked {
            oracle: Borrowed(endpoint),
            images: photographs,
            model_id: &self.user,
            key: None,
            stream: Stream::new(seed),
        })?;
        while !job.advance()?.finished {}
        Ok(job.finish()?)
    }

    fn tell(&self, mark: &Mark, left_out: usize) {
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
        if dropped > 0 || left_out > 0 {
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

/// An endpoint for a job that does not own it.
struct Borrowed<'a>(&'a Endpoint);

impl Oracle for Borrowed<'_> {
    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, brink_verify::OracleError> {
        self.0.logits(images)
    }
}

/// What to correct, if the model gives all of the first photographs one label.
fn one_label(endpoint: &Endpoint, photographs: &Split) -> Option<String> {
    let images = first(photographs, NOISE_IMAGES).ok()?;
    let labels = brink_verify::labels(endpoint, &images, LabelSpace::Classes, None).ok()?;
    let label = labels[0];
    let (n, alike) = (labels.len(), labels.iter().all(|it| *it == label));
    alike.then(|| format!("--images: the model gives all of {n} photographs the label {label}; give photographs of several classes, or correct --pixels or --normalize"))
}

/// The first `n` photographs, or all if there are fewer.
fn first(photographs: &Split, n: usize) -> anyhow::Result<Images> {
    let which: Vec<usize> = (0..n.min(photographs.len())).collect();
    Ok(Images::new(
        photographs.shape(),
        photographs.images(&which),
    )?)
}
