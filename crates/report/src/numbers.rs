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

/// `40.0`, in per cent; with its interval, if there is one, `40.0 [33.3, 46.7]`. All are in [0, 1].
pub fn estimate(value: f64, interval: Option<(f64, f64)>) -> String {
    let value = format!("{:.1}", 100.0 * value);
    match interval {
        Some((low, high)) => format!("{value} {}", between(low, high)),
        None => value,
    }
}

/// `[33.3, 46.7]`: an interval in per cent, with the digits of what stands before it: it must not seem to exclude that.
pub fn between(low: f64, high: f64) -> String {
    format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
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
