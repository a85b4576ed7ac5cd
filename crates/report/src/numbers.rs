//! What is said of several numbers at once.

use std::collections::BTreeSet;

use spec::Stream;
use verify::stats::bootstrap95;

/// The mean of some values with its 95 % bootstrap interval, which is the same whenever it is asked for.
pub fn mean(values: &[f64]) -> Option<(f64, Option<(f64, f64)>)> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let stream = Stream::new(0).split("bootstrap");
    (!values.is_empty()).then(|| (mean, bootstrap95(values, stream)))
}

/// The middle of some numbers, or the mean of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[middle - 1] + upper) / 2.0)
}

/// How many different ones there are.
pub fn distinct<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<BTreeSet<_>>().len()
}

/// `3`, or `2–3` if they differ.
pub fn range(values: impl Iterator<Item = u64> + Clone) -> String {
    match (values.clone().min(), values.max()) {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low}–{high}"),
        _ => "0".to_owned(),
    }
}
