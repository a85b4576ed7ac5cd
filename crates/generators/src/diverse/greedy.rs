//! The greedy choice of samples that react to many changes.

/// Chooses `count` columns of `changes`, one row a change, each so that the sum over the rows of the root of the chosen squares grows
/// most. The root favours rows that have little yet, so the choice is both sensitive and diverse. The columns are in the order of choice.
pub(crate) fn chosen(changes: &[Vec<f32>], count: usize) -> Vec<usize> {
    let columns = changes.first().map_or(0, Vec::len);
    let squares = |row: &Vec<f32>| -> Vec<f64> {
        let squares = row.iter().map(|change| f64::from(*change).powi(2));
        let mean = squares.clone().sum::<f64>() / columns as f64;
        // A change that no candidate reacts to says nothing.
        squares
            .map(|square| if mean > 0.0 { square / mean } else { 0.0 })
            .collect()
    };
    let rows: Vec<Vec<f64>> = changes.iter().map(squares).collect();
    let mut sums = vec![0.0f64; rows.len()];
    let mut left: Vec<usize> = (0..columns).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        let gain = |column: usize| -> f64 {
            let rows = rows.iter().zip(&sums);
            rows.map(|(row, sum)| (sum + row[column]).sqrt() - sum.sqrt())
                .sum()
        };
        let gains = left.iter().map(|&column| gain(column)).enumerate();
        // The first of equal gains.
        let best = gains.fold(
            (0, f64::MIN),
            |best, (at, gain)| {
                if gain > best.1 { (at, gain) } else { best }
            },
        );
        let column = left.remove(best.0);
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum += row[column];
        }
        chosen.push(column);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_gets_a_sample_before_one_gets_two() {
        // The first two columns react to the first change alone, and most; the third to the second change.
        let changes = [vec![3.0, 2.9, 0.0, 0.1], vec![0.0, 0.0, 1.0, 0.1]];
        assert_eq!(chosen(&changes, 2), [2, 0]);
        assert_eq!(chosen(&changes, 4), [2, 0, 1, 3]);
    }

    #[test]
    fn strong_reactions_come_first() {
        let changes = [vec![1.0, -4.0, 2.0]];
        assert_eq!(chosen(&changes, 2), [1, 2]);
    }

    #[test]
    fn changes_that_move_nothing_do_not_count() {
        let changes = [vec![0.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
        assert_eq!(chosen(&changes, 1), [1]);
        assert_eq!(chosen(&changes, 5).len(), 3, "no more than there are");
        assert!(chosen(&[], 3).is_empty());
    }
}
