//! The verdict: which labels flipped, alone and in pairs (paper, section III-C).

use crate::{Error, Head, Oracle, Pairing, Rate, SensitiveSet, all_pairs_expectation, labels};

/// What a model's answers say about its integrity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Samples whose label flipped.
    pub single: Rate,
    /// Pairs of which at least one member flipped.
    pub pair: Rate,
    /// Pairs of which both members flipped.
    pub both: u64,
    /// Whether any sample flipped: the model, or the arithmetic it runs on, is not the one that the set was labelled with.
    pub tampered: bool,
    /// The labels now, one per image.
    pub labels: Vec<u32>,
    /// Whether the label flipped, one per image.
    pub flipped: Vec<bool>,
}

impl Verdict {
    /// Compares `labels` with the `reference` labels, one each per image, and counts.
    pub(crate) fn new(reference: &[u32], labels: Vec<u32>, pairs: &[[usize; 2]]) -> Self {
        let flipped: Vec<bool> = reference
            .iter()
            .zip(&labels)
            .map(|(was, is)| was != is)
            .collect();
        let single = Rate::count(flipped.iter().copied());
        Self {
            single,
            pair: Rate::count(pairs.iter().map(|&[a, b]| flipped[a] || flipped[b])),
            both: pairs
                .iter()
                .filter(|&&[a, b]| flipped[a] && flipped[b])
                .count() as u64,
            tampered: single.hits() > 0,
            labels,
            flipped,
        }
    }

    /// Whether every label is the same now. Rates then tell the balance of the reference labels, not a sensitivity.
    pub fn same_label(&self) -> bool {
        self.labels.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The exact rate over all pairs of samples, see [`all_pairs_expectation`].
    pub fn all_pairs(&self) -> f64 {
        all_pairs_expectation(&self.flipped)
    }
}

/// Asks the model about the whole set in one batch and compares with the labels on record.
///
/// # Errors
/// If the set contradicts itself, its pairs cannot be formed, or its [`labels`] cannot be had.
pub fn verify(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
    pairs: &Pairing,
) -> Result<Verdict, Error> {
    set.check()?;
    let pairs = pairs.pairs(set)?;
    let labels = labels(oracle, &set.images, set.label_space, head)?;
    Ok(Verdict::new(&set.labels, labels, &pairs))
}
