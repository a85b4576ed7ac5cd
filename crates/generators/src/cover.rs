//! Maximum Active-Neuron Cover (He, Zhang, Lee, CVPR 2019, section 5.3): the samples that activate the most units together.

use std::cmp::Reverse;

/// The places of `keep` of the samples, in the order of choice. `active` says of each sample which units it activates. Each choice activates
/// the most units that no choice before did. Once all units that can be activated are, the cover begins anew. Equals go to the first.
///
/// # Panics
/// If there are fewer than `keep` samples.
pub(crate) fn choose(active: &[Vec<bool>], keep: usize) -> Vec<usize> {
    assert!(keep <= active.len(), "there are enough samples");
    let units = active.first().map_or(0, Vec::len);
    let mut uncovered = vec![true; units];
    let mut left: Vec<usize> = (0..active.len()).collect();
    let mut chosen = Vec::with_capacity(keep);
    while chosen.len() < keep {
        let gain = |sample: usize| {
            let units = active[sample].iter().zip(&uncovered);
            units.filter(|(active, open)| **active && **open).count()
        };
        let best = left
            .iter()
            .enumerate()
            .max_by_key(|(at, sample)| (gain(**sample), Reverse(*at)));
        let Some((at, &sample)) = best else { break };
        if gain(sample) == 0 && uncovered.contains(&false) {
            uncovered.fill(true);
            continue;
        }
        for (open, active) in uncovered.iter_mut().zip(&active[sample]) {
            *open &= !active;
        }
        chosen.push(left.remove(at));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::choose;
    use proptest::prelude::*;

    fn samples(rows: &[&str]) -> Vec<Vec<bool>> {
        let row = |row: &&str| row.chars().map(|unit| unit == '1').collect();
        rows.iter().map(row).collect()
    }

    /// The number of units that some of the samples at `places` activate.
    fn covered(active: &[Vec<bool>], places: &[usize]) -> usize {
        let units = 0..active.first().map_or(0, Vec::len);
        units
            .filter(|&unit| places.iter().any(|&place| active[place][unit]))
            .count()
    }

    #[test]
    fn the_most_new_units_come_first() {
        let active = samples(&["110000", "011100", "100011", "000011"]);
        // The second has three, then the third brings three more. Nothing is left, so the cover begins anew with the first of the others.
        assert_eq!(choose(&active, 4), [1, 2, 0, 3]);
        assert_eq!(choose(&active, 0), [0; 0]);
    }

    #[test]
    fn samples_that_activate_nothing_are_chosen_last() {
        let active = samples(&["000", "000", "010", "000"]);
        assert_eq!(choose(&active, 4), [2, 0, 1, 3]);
        assert_eq!(choose(&samples(&["0", "0"]), 2), [0, 1]);
    }

    proptest! {
        /// A greedy cover has at least 1 - 1/e of the largest one.
        #[test]
        fn a_cover_is_nearly_the_largest(
            active in prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.3), 9), 4..8),
            keep in 1usize..4,
        ) {
            let chosen = choose(&active, keep);
            let mut unlike = chosen.clone();
            unlike.sort_unstable();
            unlike.dedup();
            prop_assert_eq!(unlike.len(), keep);
            let sets = 0u32..1 << active.len();
            let sets = sets.filter(|set| set.count_ones() as usize == keep);
            let largest = sets.map(|set| {
                let places: Vec<usize> = (0..active.len()).filter(|&at| set >> at & 1 == 1).collect();
                covered(&active, &places)
            });
            let largest = largest.max().unwrap_or(0) as f64;
            prop_assert!(covered(&active, &chosen) as f64 >= (1.0 - (-1f64).exp()) * largest);
        }
    }
}
