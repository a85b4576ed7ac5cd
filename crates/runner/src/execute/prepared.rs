//! A sample set with everything needed to test a model.

use std::ops::Range;

use brink_config::checked::Fraction;
use brink_random::Stream;
use brink_store::Id;
use brink_verify::{
    Control, Error, Head, Images, LabelSpace, Layout, Noise, Oracle, OracleError, Paired, Pairing,
    SensitiveSet, Verdict, all_pairs_expectation, control, margin, outputs,
};
use rayon::ThreadPoolBuilder;

use crate::plan::SetStep;

/// The numbers of threads in the controls of the untouched model.
const THREADS: [usize; 2] = [1, 2];

/// A sample set that is ready to test models.
pub struct PreparedSet {
    /// The id of its set.
    pub id: Id,
    /// Its generator's name.
    pub generator: &'static str,
    /// The samples.
    pub set: SensitiveSet,
    /// The SHA-256 of the file of the samples. `None` for samples of an older version.
    pub samples_sha256: Option<String>,
    /// The keyed head, if it gives the labels of the set.
    head: Option<Head>,
    /// The same samples with the network's top-1 classes as labels, if the head gives the labels of the set.
    by_class: Option<SensitiveSet>,
    /// The pairs of samples.
    pairing: Pairing,
    /// The margin of each image on the untouched model.
    margins: Vec<f32>,
}

/// A set of which a part has leaked.
pub struct Leak {
    /// The pairs that the attacker knows.
    pub leaked: PreparedSet,
    /// The others.
    pub fresh: PreparedSet,
}

/// The answers of a model to a set.
pub struct Asked {
    /// The verdict by the labels of the set.
    pub judged: Judged,
    /// The verdict by the network's top-1 classes, if the keyed head gives the labels of the set.
    pub by_class: Option<Judged>,
    /// The change of each image's margin.
    pub moves: Vec<f32>,
}

/// The verdict on a model, by image and by pair.
pub struct Judged {
    pub verdict: Verdict,
    pub paired: Paired,
}

impl Judged {
    /// Its counts.
    pub fn counts(&self) -> brink_store::Answers {
        brink_store::Answers {
            single: self.verdict.single,
            pair: self.paired.pair,
            both: self.paired.both,
            same_label: self.verdict.same_label(),
        }
    }

    /// The rate over all possible pairs of single samples. `None` if the samples were made as pairs.
    pub fn all_pairs(&self, layout: Layout) -> Option<f64> {
        let expectation = || all_pairs_expectation(&self.verdict.flipped);
        (layout == Layout::Singles).then(expectation)
    }
}

impl PreparedSet {
    /// Prepares `set`. Its pairs are those it was made with. Single samples are paired at random, as in the paper: as
    /// many pairs as samples.
    ///
    /// # Errors
    /// If there are fewer than two samples, or `untouched` gives no logits.
    pub fn new(
        step: &SetStep,
        set: SensitiveSet,
        head: Option<Head>,
        untouched: &impl Oracle,
        stream: &Stream,
    ) -> anyhow::Result<Self> {
        let pairing = Pairing::of(&set, &mut stream.split("pairs"))?;
        let answers = Answers::of(untouched, &set)?;
        let by_class = match head {
            Some(_) => Some(SensitiveSet {
                labels: brink_verify::labels(&answers, &set.images, LabelSpace::Classes, None)?,
                label_space: LabelSpace::Classes,
                key_check: None,
                ..set.clone()
            }),
            None => None,
        };
        Ok(Self {
            id: step.id,
            generator: step.generator.name(),
            margins: margins(&answers, &set, head.as_ref())?,
            set,
            samples_sha256: None,
            head,
            by_class,
            pairing,
        })
    }

    /// The keyed head, if it gives the labels of the set.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The set in two parts: its first pairs, which leak, and the others. `share` of the pairs leak, but at least one and never all.
    ///
    /// # Errors
    /// If it does not have two pairs.
    pub fn leak(&self, share: Fraction) -> Result<Leak, brink_models::Error> {
        let pairs = self.set.samples();
        if self.set.layout != Layout::Pairs || pairs < 2 {
            return Err(brink_models::Error::CannotCreate(format!(
                "a part of the pairs of `{}` cannot leak, because it does not have two; make more samples",
                self.generator
            )));
        }
        let leaked = (share.get() * pairs as f64).round() as usize;
        let first = 2 * leaked.clamp(1, pairs - 1);
        Ok(Leak {
            leaked: self.part(0..first),
            fresh: self.part(first..2 * pairs),
        })
    }

    /// A part of the images of a set of pairs.
    fn part(&self, images: Range<usize>) -> Self {
        let indices: Vec<usize> = images.clone().collect();
        let of = |set: &SensitiveSet| SensitiveSet {
            images: set.images.select(&indices),
            labels: set.labels[images.clone()].to_vec(),
            ..set.clone()
        };
        Self {
            id: self.id,
            generator: self.generator,
            set: of(&self.set),
            samples_sha256: self.samples_sha256.clone(),
            head: self.head.clone(),
            by_class: self.by_class.as_ref().map(of),
            pairing: Pairing::Own,
            margins: self.margins[images].to_vec(),
        }
    }

    /// Queries `oracle` once with the whole set.
    ///
    /// # Errors
    /// If `oracle` gives no logits or no labels.
    pub fn ask(&self, oracle: &impl Oracle) -> Result<Asked, Error> {
        let answers = Answers::of(oracle, &self.set)?;
        let pairs = self.pairing.pairs(&self.set)?;
        let judge = |set, head| {
            let verdict = brink_verify::verify(&answers, set, head)?;
            let paired = verdict.paired(&pairs);
            Ok::<_, Error>(Judged { verdict, paired })
        };
        let by_class = self.by_class.as_ref().map(|set| judge(set, None));
        let now = margins(&answers, &self.set, self.head.as_ref())?;
        Ok(Asked {
            judged: judge(&self.set, self.head.as_ref())?,
            by_class: by_class.transpose()?,
            moves: now
                .iter()
                .zip(&self.margins)
                .map(|(now, before)| now - before)
                .collect(),
        })
    }

    /// The noise of an execution that changes the margins of the images by `moves`.
    pub fn noise(&self, moves: &[f32]) -> Noise {
        Noise::of(&self.margins, moves)
    }

    /// Tests the untouched model again, in other batches and orders, and with other numbers of threads. Each flip is a
    /// false alarm.
    ///
    /// # Errors
    /// If the model gives no logits, or threads cannot start.
    pub fn controls(&self, untouched: &(impl Oracle + Sync)) -> anyhow::Result<Vec<Control>> {
        let mut all = Vec::new();
        for threads in THREADS {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            let ask = || control::reask(untouched, &self.set, self.head.as_ref(), &self.pairing);
            let plural = if threads == 1 { "" } else { "s" };
            all.extend(pool.install(ask)?.into_iter().map(|control| Control {
                name: format!("{}, {threads} thread{plural}", control.name),
                ..control
            }));
        }
        Ok(all)
    }
}

/// The margin of each image by its reference label.
fn margins(
    oracle: &impl Oracle,
    set: &SensitiveSet,
    head: Option<&Head>,
) -> Result<Vec<f32>, Error> {
    let outputs = outputs(oracle, &set.images, set.label_space, head)?;
    let labelled = outputs.iter().zip(&set.labels);
    Ok(labelled
        .map(|(outputs, label)| margin(outputs, *label))
        .collect())
}

/// The logits of a model for one set. They stand in for the model, so that it is queried only once.
struct Answers {
    classes: usize,
    logits: Vec<f32>,
}

impl Answers {
    fn of(oracle: &impl Oracle, set: &SensitiveSet) -> Result<Self, Error> {
        Ok(Self {
            classes: oracle.classes(),
            logits: oracle.logits(&set.images).map_err(Error::Oracle)?,
        })
    }
}

impl Oracle for Answers {
    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&self, _: &Images) -> Result<Vec<f32>, OracleError> {
        Ok(self.logits.clone())
    }
}
