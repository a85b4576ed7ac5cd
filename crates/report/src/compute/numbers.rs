//! Summaries of several numbers, and how they are written.

use std::collections::BTreeSet;

use brink_random::Stream;
use brink_verify::Rate;
use brink_verify::stats::bootstrap95;

/// The mean of some values and its 95 % bootstrap interval, from a fixed random stream; no interval of one value.
pub fn mean(values: &[f64]) -> Option<(f64, Option<(f64, f64)>)> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let stream = Stream::new(0).split("bootstrap");
    (!values.is_empty()).then(|| (mean, bootstrap95(values, stream)))
}

/// A share in [0, 1] in per cent: `40.0`, or `40.0 [33.3, 46.7]` with its interval.
pub fn estimate(value: f64, interval: Option<(f64, f64)>) -> String {
    let value = format!("{:.1}", 100.0 * value);
    match interval {
        Some((low, high)) => format!("{value} {}", between(low, high)),
        None => value,
    }
}

/// An interval of shares in per cent: `[33.3, 46.7]`.
pub fn between(low: f64, high: f64) -> String {
    format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
}

/// The median: of an even count the mean of the two in the middle.
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

/// The number of different items.
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

/// A rate in per cent.
pub fn percent(rate: Rate) -> f64 {
    100.0 * rate.value()
}

/// The Wilson interval of a rate in per cent: `33.3 to 46.7`.
pub fn wilson(rate: Rate) -> String {
    let (low, high) = rate.wilson95();
    format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high)
}

/// A text, unless it is empty.
pub fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
