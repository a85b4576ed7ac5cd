//! The verdict: which labels flipped, by image and by pair (paper, section III-C).

use crate::error::Error;
use crate::head::Head;
use crate::oracle::{Oracle, labels};
use crate::set::SensitiveSet;
use crate::stats::Rate;

/// What the answers of a model say about its integrity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The conclusion.
    pub finding: Finding,
    /// Images whose label flipped.
    pub single: Rate,
    /// The new labels, one per image.
    pub labels: Vec<u32>,
    /// Whether the label flipped, one per image.
    pub flipped: Vec<bool>,
}

/// Whether the model is the delivered one, as far as a set can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No label flipped, of samples that would have noticed a change.
    Intact,
    /// A label flipped: the model or its arithmetic differs from the ones that labelled the set.
    Changed,
    /// The answers allow no conclusion, e.g. because a model that is unrelated to the delivered one could give them, too.
    CannotTell(Doubt),
}

/// Why nobody can tell whether a model is intact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// All reference labels are the same.
    #[error(
        "all {images} samples have label {label}, so a model that always answers {label} passes; generate a set that has two labels"
    )]
    OneLabel {
        /// The samples.
        images: usize,
        /// Their label.
        label: u32,
    },
    /// The members of a pair are the same image.
    #[error(
        "the two images of pair {pair} are the same, so no boundary lies between them; generate the set again"
    )]
    EqualPair {
        /// The first such pair, from 0.
        pair: usize,
    },
    /// All pairs were asked, and the risks still allow no finding.
    #[error(
        "{flipped} of all {pairs} pairs flipped, which neither the untouched nor a changed model explains at the promised risks; ask more pairs"
    )]
    RanOut {
        /// The pairs asked.
        pairs: usize,
        /// Those that flipped.
        flipped: usize,
    },
    /// Every image has the same answer.
    #[error(
        "every image was answered with label {label}, as by a server that does not look at them; check that the address serves the model"
    )]
    OneAnswer {
        /// The label.
        label: u32,
    },
    /// The same question has different answers.
    #[error(
        "{differ} of {pairs} pairs had other answers when they were asked again; check whether several models answer at this address"
    )]
    Unstable {
        /// The pairs asked.
        pairs: usize,
        /// Those with different answers.
        differ: usize,
    },
}

impl Doubt {
    /// Why `set` cannot say that a model is intact, if there is a reason.
    ///
    /// A model with the same answer for every image needs no check: with two reference labels, it is [`Finding::Changed`].
    pub(crate) fn about(set: &SensitiveSet) -> Option<Self> {
        let label = set.labels[0];
        if set.labels.iter().all(|&other| other == label) {
            let images = set.labels.len();
            return Some(Self::OneLabel { images, label });
        }
        set.equal_pair().map(|pair| Self::EqualPair { pair })
    }
}

/// The same answers, pair by pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Pairs of which at least one member flipped.
    pub pair: Rate,
    /// Pairs of which both members flipped.
    pub both: u64,
}

impl Verdict {
    /// Compares `labels`, one per image, with the reference labels of `set`.
    ///
    /// # Panics
    /// If the set has no images.
    pub(crate) fn new(set: &SensitiveSet, labels: Vec<u32>) -> Self {
        let flips = set.labels.iter().zip(&labels).map(|(was, is)| was != is);
        let flipped: Vec<bool> = flips.collect();
        let single = Rate::count(flipped.iter().copied());
        let finding = match single.hits() {
            0 => Doubt::about(set).map_or(Finding::Intact, Finding::CannotTell),
            _ => Finding::Changed,
        };
        Self {
            finding,
            single,
            labels,
            flipped,
        }
    }

    /// The flips of pairs, given as the positions of both members: see [`Pairing::pairs`](crate::Pairing::pairs).
    ///
    /// # Panics
    /// If a position is not in the set.
    pub fn paired(&self, pairs: &[[usize; 2]]) -> Paired {
        let flips = || {
            pairs
                .iter()
                .map(|pair| pair.map(|image| self.flipped[image]))
        };
        Paired {
            pair: Rate::count(flips().map(|[a, b]| a || b)),
            both: flips().filter(|&[a, b]| a && b).count() as u64,
        }
    }

    /// Whether all new labels are equal. Then rates show the balance of the reference labels, not the sensitivity.
    pub fn same_label(&self) -> bool {
        self.labels.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// Queries the model with the whole set in one batch and compares its labels with the reference labels.
///
/// # Errors
/// If the set contradicts itself, if the oracle has another number of classes, or if [`labels`] fails.
pub fn verify(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
) -> Result<Verdict, Error> {
    set.check()?;
    if oracle.classes() != set.classes {
        return Err(Error::OtherClasses {
            set: set.classes,
            oracle: oracle.classes(),
        });
    }
    let labels = labels(oracle, &set.images, set.label_space, head)?;
    Ok(Verdict::new(set, labels))
}
