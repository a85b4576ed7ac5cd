//! False alarms: the untouched model, queried again in another way.
//!
//! Sensitive samples lie so close to the boundary that rounding can flip them. If the answer depended on the batch size, a verifier would
//! raise false alarms. So every table shows these controls next to its rates. The caller owns the threads and repeats the controls with other
//! thread counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::head::Head;
use crate::oracle::{Oracle, labels};
use crate::pairing::Pairing;
use crate::set::SensitiveSet;
use crate::stats::Rate;
use crate::verdict::Verdict;

/// One way to query the untouched model again. Every hit is a false alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The difference to the first query, e.g. `batches of 7`.
    pub name: String,
    /// Images whose label flipped.
    pub single: Rate,
    /// Pairs of which at least one member flipped.
    pub pair: Rate,
    /// The flipped images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flipped: Vec<u32>,
    /// The flipped pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flipped_pairs: Vec<u32>,
}

/// Images, and pairs, that flipped in at least one of the `controls` of a set. Each counts once.
pub fn alarms(controls: &[Control]) -> [Rate; 2] {
    let union = |rate: fn(&Control) -> Rate, which: fn(&Control) -> &[u32]| {
        let different: BTreeSet<_> = controls.iter().flat_map(which).collect();
        let rates = controls.iter().map(rate);
        // Older records do not list them. There were at least as many as in the worst control.
        let most = rates.clone().map(Rate::hits).max().unwrap_or(0);
        let of = rates.map(Rate::of).max().unwrap_or(0);
        Rate::new(most.max(different.len() as u64), of)
    };
    [
        union(|control| control.single, |control| &control.flipped),
        union(|control| control.pair, |control| &control.flipped_pairs),
    ]
}

/// A way to ask about all images of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In batches of this many, at least 1.
    BatchesOf(usize),
    /// All at once.
    Whole,
    /// All at once, the last first.
    Reversed,
}

impl Way {
    /// The ways of [`reask`].
    pub const ALL: [Self; 4] = [
        Self::BatchesOf(1),
        Self::BatchesOf(7),
        Self::Whole,
        Self::Reversed,
    ];

    fn name(self) -> String {
        match self {
            Self::BatchesOf(n) => format!("batches of {n}"),
            Self::Whole => "one batch".to_owned(),
            Self::Reversed => "one batch, reversed".to_owned(),
        }
    }

    /// The images of each batch, out of `n`.
    fn batches(self, n: usize) -> Vec<Vec<usize>> {
        let all: Vec<usize> = (0..n).collect();
        match self {
            Self::BatchesOf(size) => all.chunks(size).map(<[usize]>::to_vec).collect(),
            Self::Whole => vec![all],
            Self::Reversed => vec![all.into_iter().rev().collect()],
        }
    }
}

/// Queries the untouched model with the set in batches of 1, of 7 and of all images, and with all images in reversed order.
///
/// # Errors
/// As [`verify`](crate::verify()).
pub fn reask(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
    pairs: &Pairing,
) -> Result<Vec<Control>, Error> {
    reask_in(&Way::ALL, oracle, set, head, pairs)
}

/// Queries the untouched model with the set in each of the `ways`.
///
/// # Errors
/// As [`verify`](crate::verify()).
pub fn reask_in(
    ways: &[Way],
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
    pairs: &Pairing,
) -> Result<Vec<Control>, Error> {
    set.check()?;
    let pairs = pairs.pairs(set)?;
    let images = set.images.len();
    let ask = |way: Way| {
        let mut now = vec![0; images];
        for indices in way.batches(images) {
            let batch = labels(oracle, &set.images.select(&indices), set.label_space, head)?;
            for (i, label) in indices.into_iter().zip(batch) {
                now[i] = label;
            }
        }
        let verdict = Verdict::new(set, now);
        let flipped = &verdict.flipped;
        let which = |hit: &dyn Fn(usize) -> bool, n: usize| {
            let hits = (0..n).filter(|&i| hit(i));
            hits.map(|i| i as u32).collect()
        };
        Ok(Control {
            name: way.name(),
            single: verdict.single,
            pair: verdict.paired(&pairs).pair,
            flipped_pairs: which(&|i| pairs[i].iter().any(|&i| flipped[i]), pairs.len()),
            flipped: which(&|i| flipped[i], flipped.len()),
        })
    };
    ways.iter().copied().map(ask).collect()
}
