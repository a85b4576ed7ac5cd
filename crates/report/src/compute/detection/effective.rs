//! How differently the samples of a set react to changes of the weights: the effective number of independent samples.

use std::collections::BTreeMap;

use super::super::aggregate::Point;

/// The fewest changes of which correlations say something.
const CHANGES: usize = 20;

/// The effective number of independent samples, averaged over the sets of `point`. `members` is the number of images of a sample, of
/// which the first counts. `None` if no set saw at least 20 changes with recorded margins.
pub fn effective(point: &Point, members: usize) -> Option<f64> {
    let mut by_set: BTreeMap<_, Vec<Vec<f64>>> = BTreeMap::new();
    for run in point.runs.iter().filter(|run| !run.moves.is_empty()) {
        let firsts = run.moves.iter().step_by(members);
        let moves = firsts.map(|x| f64::from(*x)).collect();
        by_set.entry(run.set).or_default().push(moves);
    }
    let numbers: Vec<f64> = by_set.into_values().filter_map(independent).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// The effective number of samples in `changes`, which holds the move of each sample's margin, change by change.
///
/// Of n samples it is n / (1 + (n - 1) r²) with the mean squared correlation r² of two samples. The square of a correlation over T
/// changes is too large by chance, on average by 1/T without any correlation; that is taken off.
fn independent(changes: Vec<Vec<f64>>) -> Option<f64> {
    let over = changes.len();
    if over < CHANGES {
        return None;
    }
    let samples = changes[0].len();
    // A sample that never moves is correlated with none.
    let columns: Vec<Vec<f64>> = (0..samples)
        .map(|i| {
            let column: Vec<f64> = changes.iter().map(|moves| moves[i]).collect();
            let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
            let length = length.max(f64::MIN_POSITIVE);
            column.iter().map(|x| x / length).collect()
        })
        .collect();
    let (mut squares, mut pairs) = (0.0, 0.0);
    for (i, a) in columns.iter().enumerate() {
        for b in &columns[..i] {
            let correlation = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            squares += correlation * correlation;
            pairs += 1.0;
        }
    }
    if pairs == 0.0 {
        return Some(1.0);
    }
    let over = over as f64;
    let mean = (squares / pairs - 1.0 / over) / (1.0 - 1.0 / over);
    let n = samples as f64;
    Some(n / (1.0 + (n - 1.0) * mean.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_random::Stream;

    /// `changes` moves of `samples` samples, of which each follows one of `causes` causes.
    fn moves(changes: usize, samples: usize, causes: usize) -> Vec<Vec<f64>> {
        let stream = &mut Stream::new(1);
        let change = |_| {
            let causes: Vec<f64> = (0..causes).map(|_| f64::from(stream.normal())).collect();
            let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -3.0 };
            (0..samples)
                .map(|i| sign(i) * causes[i % causes.len()])
                .collect()
        };
        (0..changes).map(change).collect()
    }

    #[test]
    fn copies_of_one_sample_count_once() {
        let one = independent(moves(30, 50, 1)).unwrap();
        assert!((one - 1.0).abs() < 1e-9, "{one}");
    }

    #[test]
    fn independent_causes_are_counted() {
        for causes in [5, 10] {
            let found = independent(moves(400, 100, causes)).unwrap();
            let off = (found / causes as f64 - 1.0).abs();
            assert!(off < 0.1, "{found} of {causes}");
        }
        let all = independent(moves(50, 60, 60)).unwrap();
        assert!(all > 40.0, "{all} of 60");
    }

    #[test]
    fn few_changes_tell_nothing() {
        assert_eq!(independent(moves(CHANGES - 1, 5, 5)), None);
        let still = vec![vec![0.0; 4]; CHANGES];
        assert_eq!(independent(still), Some(4.0));
    }
}
