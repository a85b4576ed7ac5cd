//! The verdict: which labels flipped, alone and in pairs (paper, section III-C).

use crate::{Error, Head, Oracle, Rate, SensitiveSet, labels};

/// What a model's answers say about its integrity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Images whose label flipped.
    pub single: Rate,
    /// Whether any label flipped: the model, or the arithmetic it runs on, is not the one that the set was labelled with.
    pub tampered: bool,
    /// The labels now, one per image.
    pub labels: Vec<u32>,
    /// Whether the label flipped, one per image.
    pub flipped: Vec<bool>,
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
    /// Compares `labels` with the `reference` labels, one each per image, and counts.
    pub(crate) fn new(reference: &[u32], labels: Vec<u32>) -> Self {
        let flips = reference.iter().zip(&labels).map(|(was, is)| was != is);
        let flipped: Vec<bool> = flips.collect();
        let single = Rate::count(flipped.iter().copied());
        Self {
            single,
            tampered: single.hits() > 0,
            labels,
            flipped,
        }
    }

    /// What the pairs say, given as positions of both members in the set: see [`Pairing::pairs`](crate::Pairing::pairs).
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

    /// Whether every label is the same now. Rates then tell the balance of the reference labels, not a sensitivity.
    pub fn same_label(&self) -> bool {
        self.labels.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// Asks the model about the whole set in one batch and compares with the labels on record.
///
/// # Errors
/// If the set contradicts itself, or its [`labels`] cannot be had.
pub fn verify(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
) -> Result<Verdict, Error> {
    set.check()?;
    let labels = labels(oracle, &set.images, set.label_space, head)?;
    Ok(Verdict::new(&set.labels, labels))
}
