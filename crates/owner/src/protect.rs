//! Makes pairs beside the decision boundary of a served model, and measures what the deployment does to them.

use brink_config::checked::{NonNegative, Samples};
use brink_data::Split;
use brink_endpoint::{Encoding, Endpoint, Kind, Protocol};
use brink_generators::{Asked, Bracketed, Generated, PixelValues};
use brink_mark::{About, Mark, Promise};
use brink_random::Stream;
use brink_verify::{Head, Images, LabelSpace, Oracle, OracleError, Risks, SecretKey, SensitiveSet};

use crate::anchors::anchors;
use crate::error::Error;
use crate::{head, noise, profiles};

/// What an owner wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Who signs.
    pub user: String,
    /// The number of pairs.
    pub pairs: usize,
    /// The risks of a verification.
    pub promise: Promise,
    /// The distance of each image from the boundary, where the model answers with scores; if absent, four times the noise.
    pub margin: Option<f64>,
    /// Whether pairs lie at the boundary of a secret head behind the scores instead of the model's own classes.
    pub head: bool,
    /// The seed of the pairs and of the head.
    pub seed: u64,
    /// How pixels travel.
    pub pixels: Encoding,
    /// What requests look like, if a server answers.
    pub protocol: Option<Protocol>,
}

/// A step that was done, for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The margin by which scores move when they are asked in other ways.
    Noise(f64),
    /// The pairs are on their way: rounds done, and about how many there are.
    Pairs(usize, usize),
    /// The pairs are made, so many; they are asked again.
    Made(usize),
}

/// A mark to sign, and the number of pairs that could not be placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Protected {
    /// The mark.
    pub mark: Mark,
    /// Pairs that could not be placed.
    pub left_out: usize,
}

/// The smallest margin by default. It keeps a set quiet in each of 14 engines on ResNet-20 (experiments/false-alarms).
const LEAST_MARGIN: f64 = 3e-4;
/// How far a margin lies above the largest noise that was seen.
const ABOVE_NOISE: f64 = 4.0;
/// Photographs that show the noise of scores.
const NOISE_IMAGES: usize = 64;

impl Wanted {
    /// Checks the settings before the model is asked.
    ///
    /// # Errors
    /// If a share is none, or there are too few pairs.
    pub fn check(&self) -> Result<(), Error> {
        let Promise {
            false_alarm,
            change,
            miss,
        } = self.promise;
        Risks::new(false_alarm, f64::MIN_POSITIVE, change, miss)?;
        pairs_of(self.pairs).map(drop)
    }

    /// Where the pairs lie: in whole levels if the model tells labels only or sees 8 bits, else at a margin outside the noise.
    fn settings(
        &self,
        endpoint: &Endpoint,
        photographs: &Split,
        head: Option<&Head>,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Bracketed, Error> {
        let labels_only = endpoint.kind() == Kind::Labels;
        let in_levels = self.pixels.is_eight_bit() || labels_only;
        let checked = |margin| {
            NonNegative::new(margin).map_err(|e| Error::Correct(format!("margin {margin}: {e}")))
        };
        let margin = match (self.margin, in_levels) {
            (Some(_), _) if labels_only => {
                let problem = "margin: the model answers with labels only, which have no margin; leave it out";
                return Err(Error::Correct(problem.to_owned()));
            }
            (Some(margin), _) => checked(margin)?,
            (None, true) => NonNegative::literal(0.0),
            (None, false) => {
                let noise = noise::of_scores(endpoint, &first(photographs, NOISE_IMAGES)?, head)?;
                tell(Step::Noise(noise));
                checked((ABOVE_NOISE * noise).max(LEAST_MARGIN))?
            }
        };
        Ok(Bracketed {
            samples: pairs_of(self.pairs)?,
            pixels: if in_levels {
                PixelValues::Uint8
            } else {
                PixelValues::Float32
            },
            margin,
            label_space: match head {
                Some(_) => LabelSpace::Head,
                None => LabelSpace::Classes,
            },
            ..Bracketed::default()
        })
    }

    /// The key of the head, if there is to be one.
    fn key(&self, endpoint: &Endpoint, photographs: &Split) -> Result<Option<SecretKey>, Error> {
        if !self.head {
            return Ok(None);
        }
        if endpoint.kind() == Kind::Labels {
            let problem =
                "head: the model answers with labels only, and a head needs scores; leave it out";
            return Err(Error::Correct(problem.to_owned()));
        }
        let (images, mut stream) = (
            first(photographs, NOISE_IMAGES)?,
            Stream::new(self.seed).split("head"),
        );
        head::key(endpoint, &images, &self.user, &mut stream).map(Some)
    }
}

/// Protects a model: makes the pairs that are `wanted` from `photographs`, leaves out those that are not steady, and measures the others.
/// `tell` hears of each step.
///
/// # Errors
/// If a setting or the photographs must be corrected, or the model does not answer.
pub fn protect(
    endpoint: &Endpoint,
    photographs: &Split,
    wanted: &Wanted,
    tell: &mut dyn FnMut(Step),
) -> Result<Protected, Error> {
    wanted.check()?;
    let made = (|| {
        let key = wanted.key(endpoint, photographs)?;
        let head = key
            .as_ref()
            .map(|key| key.head(&wanted.user, endpoint.classes()));
        let settings = wanted.settings(endpoint, photographs, head.as_ref(), tell)?;
        let pairs = Pairs {
            endpoint,
            photographs,
            settings: &settings,
            user: &wanted.user,
            key: key.as_ref(),
            seed: wanted.seed,
        };
        let (set, left_out) = pairs.make(tell)?;
        let (set, mut measured) = noise::of_pairs(endpoint, set, head.as_ref())?;
        let risks = wanted.promise.risks(measured.flipped)?;
        let (steady, least) = (set.samples(), risks.least_pairs());
        if (steady as u64) < least {
            let more = 4 * least;
            return Err(Error::Correct(format!(
                "{steady} steady pairs are left, and \"intact\" takes {least}; raise pairs to {more}"
            )));
        }
        let change = wanted.promise.change;
        measured.profiles = profiles::of_detours(endpoint, &set, head.as_ref(), change)?;
        let anchors = anchors(endpoint, photographs, head.as_ref())?;
        let about = About {
            user: wanted.user.clone(),
            created: brink_store::now(),
            answers: endpoint.kind(),
            pixels: wanted.pixels,
            protocol: wanted.protocol.clone(),
            names: endpoint.names(),
            settings: serde_json::to_value(&settings).unwrap_or_default(),
            queries: endpoint.asked(),
            measured,
            promise: wanted.promise,
        };
        let mark = Mark {
            set,
            key,
            anchors,
            about,
        };
        Ok(Protected { mark, left_out })
    })();
    made.map_err(|error| {
        // A model that does not answer is not asked once more.
        let answers = !error.is_no_answer();
        let fix = answers.then(|| one_label(endpoint, photographs));
        fix.flatten().map_or(error, Error::Correct)
    })
}

/// A number of pairs.
pub(crate) fn pairs_of(pairs: usize) -> Result<Samples, Error> {
    Samples::new(pairs).map_err(|e| Error::Correct(format!("pairs: {e}")))
}

/// Where pairs come from.
pub(crate) struct Pairs<'a> {
    pub endpoint: &'a Endpoint,
    pub photographs: &'a Split,
    pub settings: &'a Bracketed,
    pub user: &'a str,
    pub key: Option<&'a SecretKey>,
    pub seed: u64,
}

impl Pairs<'_> {
    /// The pairs, and how many could not be placed.
    pub fn make(&self, tell: &mut dyn FnMut(Step)) -> Result<(SensitiveSet, usize), Error> {
        let mut job = self.settings.ask(Asked {
            oracle: Borrowed(self.endpoint),
            images: self.photographs,
            model_id: self.user,
            key: self.key,
            stream: Stream::new(self.seed),
        })?;
        loop {
            let status = job.advance()?;
            tell(Step::Pairs(status.done, status.total));
            if status.finished {
                break;
            }
        }
        let Generated { set, uncrossed, .. } = job.finish()?;
        tell(Step::Made(set.samples()));
        Ok((set, uncrossed))
    }
}

/// An endpoint for a job that does not own it.
struct Borrowed<'a>(&'a Endpoint);

impl Oracle for Borrowed<'_> {
    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        self.0.logits(images)
    }
}

/// What to correct, if the model gives all of the first photographs one label.
fn one_label(endpoint: &Endpoint, photographs: &Split) -> Option<String> {
    let images = first(photographs, NOISE_IMAGES).ok()?;
    let labels = brink_verify::labels(endpoint, &images, LabelSpace::Classes, None).ok()?;
    let label = labels[0];
    let (n, alike) = (labels.len(), labels.iter().all(|it| *it == label));
    alike.then(|| format!("images: the model gives all of {n} photographs the label {label}; give photographs of several classes, or correct the order of pixels or the normalisation"))
}

/// The first `n` photographs, or all if there are fewer.
///
/// # Errors
/// If a pixel is outside of [0, 1].
pub(crate) fn first(photographs: &Split, n: usize) -> Result<Images, Error> {
    let which: Vec<usize> = (0..n.min(photographs.len())).collect();
    Ok(Images::new(
        photographs.shape(),
        photographs.images(&which),
    )?)
}
