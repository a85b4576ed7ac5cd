//! The pairs of samples (paper, section III-C): a pair detects a change if either member flips.

use brink_random::Stream;

use crate::error::Error;
use crate::set::{Layout, SensitiveSet};

/// How the samples of a set form pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// The set's own pairs: images 2i and 2i + 1.
    Own,
    /// These pairs of positions in the set. The paper draws them for methods without pairs of their own.
    Drawn(Vec<[usize; 2]>),
}

impl Pairing {
    /// The pairs of `set`: its own, or for single samples as many random pairs as samples, as in the paper.
    ///
    /// # Errors
    /// If there are fewer than two single samples.
    pub fn of(set: &SensitiveSet, stream: &mut Stream) -> Result<Self, Error> {
        match set.layout {
            Layout::Pairs => Ok(Self::Own),
            Layout::Singles => Self::random(set.samples(), set.samples(), stream),
        }
    }

    /// `pairs` pairs, each of two distinct samples out of `samples`, drawn independently of each other.
    ///
    /// # Errors
    /// If there are fewer than two samples.
    pub fn random(pairs: usize, samples: usize, stream: &mut Stream) -> Result<Self, Error> {
        if samples < 2 {
            return Err(Error::TooFew { samples });
        }
        let pair = |_| {
            let first = stream.below(samples);
            let second = stream.below(samples - 1);
            [first, second + usize::from(second >= first)]
        };
        Ok(Self::Drawn((0..pairs).map(pair).collect()))
    }

    /// The positions of both members of every pair of `set`.
    ///
    /// # Errors
    /// If the set has no pairs of its own, or a drawn pair is not two distinct samples of it.
    pub fn pairs(&self, set: &SensitiveSet) -> Result<Vec<[usize; 2]>, Error> {
        let samples = set.images.len();
        match (self, set.layout) {
            (Self::Own, Layout::Singles) => Err(Error::NoPairs),
            (Self::Own, Layout::Pairs) => {
                Ok((0..samples / 2).map(|i| [2 * i, 2 * i + 1]).collect())
            }
            (Self::Drawn(pairs), _) => {
                match pairs.iter().find(|[a, b]| a == b || a.max(b) >= &samples) {
                    Some(&pair) => Err(Error::Pair { pair, samples }),
                    None => Ok(pairs.clone()),
                }
            }
        }
    }
}

/// The share of all n(n - 1)/2 pairs of samples with at least one flipped member.
///
/// This is the expectation of the rate over [`Pairing::random`] pairs, without the variance of the draw. For fewer than two samples it is 0.
pub fn all_pairs_expectation(flipped: &[bool]) -> f64 {
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
    let same = flipped.iter().filter(|flip| !**flip).count();
    if flipped.len() < 2 {
        return 0.0;
    }
    1.0 - pairs(same) / pairs(flipped.len())
}
