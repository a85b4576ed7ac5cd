//! False alarms: the untouched model, asked again in another way.
//!
//! Sensitive samples sit so close to the boundary that rounding can flip them. A verifier whose answer depends on how
//! many images share a batch cries wolf, so every table shows these controls next to its rates. Running them under other
//! thread counts is up to the caller, who owns the threads.

use serde::{Deserialize, Serialize};

use crate::{Error, Head, Oracle, Pairing, Rate, SensitiveSet, Verdict, labels};

/// One way of asking the untouched model again: every hit is a false alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What was different, e.g. `batches of 7`.
    pub name: String,
    /// Samples whose label flipped.
    pub single: Rate,
    /// Pairs of which at least one member flipped.
    pub pair: Rate,
}

/// Asks the untouched model about the set in batches of 1, of 7 and of all, and of all in reversed order.
///
/// # Errors
/// As [`verify`](crate::verify()).
pub fn reask(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    head: Option<&Head>,
    pairs: &Pairing,
) -> Result<Vec<Control>, Error> {
    set.check()?;
    let pairs = pairs.pairs(set)?;
    let forward: Vec<usize> = (0..set.images.len()).collect();
    let reversed: Vec<usize> = forward.iter().rev().copied().collect();
    let ask = |name: &str, order: &[usize], batch: usize| {
        let mut now = vec![0; order.len()];
        for indices in order.chunks(batch) {
            let batch = labels(oracle, &set.images.select(indices), set.label_space, head)?;
            for (&i, label) in indices.iter().zip(batch) {
                now[i] = label;
            }
        }
        let Verdict { single, pair, .. } = Verdict::new(&set.labels, now, &pairs);
        Ok(Control {
            name: name.to_owned(),
            single,
            pair,
        })
    };
    let all = forward.len();
    Ok(vec![
        ask("batches of 1", &forward, 1)?,
        ask("batches of 7", &forward, 7)?,
        ask("one batch", &forward, all)?,
        ask("one batch, reversed", &reversed, all)?,
    ])
}
