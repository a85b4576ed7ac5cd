//! A sample set with all that is needed to ask a model about it.

use rayon::ThreadPoolBuilder;
use spec::{Id, Stream};
use verify::{
    Control, Error, Head, Images, LabelSpace, Layout, Oracle, OracleError, Paired, Pairing,
    SensitiveSet, Verdict, all_pairs_expectation, control,
};

use crate::plan::SetStep;

/// Thread counts under which the untouched model is asked again.
const THREADS: [usize; 2] = [1, 2];

/// A set ready to be asked.
pub struct PreparedSet {
    /// The id of its set.
    pub id: Id,
    /// Its generator's name.
    pub generator: &'static str,
    /// The samples.
    pub set: SensitiveSet,
    /// SHA-256 of their file; none of samples of before.
    pub samples_sha256: Option<String>,
    /// The keyed head, if its labels are the head's.
    head: Option<Head>,
    /// The same samples with the network's own classes as labels, if the set's labels are the head's.
    by_class: Option<SensitiveSet>,
    /// Who judges with whom.
    pairing: Pairing,
}

/// What a model's answers say, image by image and pair by pair.
pub struct Judged {
    pub verdict: Verdict,
    pub paired: Paired,
}

impl Judged {
    /// The rate over all pairs of two single samples, of which [`Judged::paired`] has some; pairs that were made as such have none.
    pub fn all_pairs(&self, layout: Layout) -> Option<f64> {
        let expectation = || all_pairs_expectation(&self.verdict.flipped);
        (layout == Layout::Singles).then(expectation)
    }
}

impl PreparedSet {
    /// `set`, its samples paired as they were made or else, as the paper does, at random: as many pairs as samples.
    ///
    /// # Errors
    /// If there are not two samples to pair, or `untouched` does not answer.
    pub fn new(
        step: &SetStep,
        set: SensitiveSet,
        head: Option<Head>,
        untouched: &impl Oracle,
        stream: &Stream,
    ) -> anyhow::Result<Self> {
        let pairing = Pairing::of(&set, &mut stream.split("pairs"))?;
        let by_class = match head {
            Some(_) => Some(SensitiveSet {
                labels: verify::labels(untouched, &set.images, LabelSpace::Classes, None)?,
                label_space: LabelSpace::Classes,
                key_check: None,
                ..set.clone()
            }),
            None => None,
        };
        Ok(Self {
            id: step.id,
            generator: step.generator.name(),
            set,
            samples_sha256: None,
            head,
            by_class,
            pairing,
        })
    }

    /// The keyed head, if its labels are the head's.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What the answers of `oracle` say about it: by the labels of the set and, where those are the keyed head's, also by the
    /// network's own classes. It is asked once.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn ask(&self, oracle: &impl Oracle) -> Result<(Judged, Option<Judged>), Error> {
        let answers = Answers {
            classes: oracle.classes(),
            logits: oracle.logits(&self.set.images).map_err(Error::Oracle)?,
        };
        let pairs = self.pairing.pairs(&self.set)?;
        let judge = |set, head| {
            let verdict = verify::verify(&answers, set, head)?;
            let paired = verdict.paired(&pairs);
            Ok::<_, Error>(Judged { verdict, paired })
        };
        let by_class = self.by_class.as_ref().map(|set| judge(set, None));
        Ok((judge(&self.set, self.head.as_ref())?, by_class.transpose()?))
    }

    /// The untouched model asked again: in other batches and orders, under other thread counts.
    ///
    /// # Errors
    /// If it does not answer.
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

/// What a model answered about the images of one set, to be judged in more than one way.
struct Answers {
    classes: usize,
    logits: Vec<f32>,
}

impl Oracle for Answers {
    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&self, _: &Images) -> Result<Vec<f32>, OracleError> {
        Ok(self.logits.clone())
    }
}
