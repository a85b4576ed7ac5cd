//! Rates and their intervals, against published values.

use brink_random::Stream;
use brink_verify::{
    Rate, all_pairs_expectation,
    stats::{Z95, bootstrap95, crossed95, wilson95},
};
use proptest::prelude::*;

#[test]
fn wilson_intervals_agree_with_newcombe_1998() {
    // Table I, method 3, of R. G. Newcombe, Statistics in Medicine 17 (1998), pages 857 to 872.
    for (hits, of, low, high) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ] {
        let found = wilson95(hits, of);
        assert!(
            (found.0 - low).abs() < 5e-5 && (found.1 - high).abs() < 5e-5,
            "{hits}/{of}: {found:?}"
        );
    }
}

#[test]
fn upper_bounds_are_those_of_clopper_and_pearson() {
    // Newcombe 1998, table I, method 5: two-sided 95 % intervals, so 2.5 % above.
    for (hits, of, high) in [(81, 263, 0.3676), (15, 148, 0.1617), (1, 29, 0.1776)] {
        let found = Rate::new(hits, of).upper(0.025);
        assert!((found - high).abs() < 5e-5, "{hits}/{of}: {found}");
    }
    // Without hits, (1 - bound)^n is the risk.
    let none = Rate::new(0, 150).upper(1e-3);
    assert!(((1.0 - none).powi(150) - 1e-3).abs() < 1e-9, "{none}");
    assert_eq!(Rate::new(3, 3).upper(0.05), 1.0);
    assert_eq!(Rate::default().upper(0.05), 1.0);
}

#[test]
fn the_quantile_cuts_off_two_and_a_half_percent() {
    // The upper tail by Simpson's rule from Z95 to 12, where nothing is left.
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (n, width) = (20_000, (12.0 - Z95) / 20_000.0);
    let weight = |i| {
        if i == 0 || i == n {
            1.0
        } else {
            2.0 + 2.0 * f64::from(i % 2)
        }
    };
    let tail: f64 = (0..=n)
        .map(|i| weight(i) * density(Z95 + width * f64::from(i)))
        .sum();
    assert!((tail * width / 3.0 - 0.025).abs() < 1e-13);
}

#[test]
fn rates_show_counts_share_and_interval() {
    assert_eq!(Rate::new(12, 30).to_string(), "12/30 = 40.0 % [24.6, 57.7]");
    assert_eq!(Rate::new(0, 30).to_string(), "0/30 = 0.0 % [0.0, 11.4]");
    assert_eq!(
        Rate::new(30, 30).to_string(),
        "30/30 = 100.0 % [88.6, 100.0]"
    );
    assert_eq!(Rate::default().to_string(), "0/0");
    assert_eq!(Rate::default().wilson95(), (0.0, 1.0));
    assert!(Rate::default().value().is_nan());
}

#[test]
fn rates_count_pool_and_read_back() {
    let rate = Rate::count([true, false, true]);
    assert_eq!((rate.hits(), rate.of()), (2, 3));
    assert_eq!(rate + Rate::new(1, 5), Rate::new(3, 8));
    assert_eq!(
        [rate, rate, rate].into_iter().sum::<Rate>(),
        Rate::new(6, 9)
    );
    let json = serde_json::to_string(&rate).unwrap();
    assert_eq!(json, r#"{"hits":2,"of":3}"#);
    assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate);
    let error = serde_json::from_str::<Rate>(r#"{"hits":4,"of":3}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("4 hits of 3"), "{error}");
}

proptest! {
    #[test]
    fn intervals_hold_the_share_and_mirror(of in 1u64..5000, part in 0.0..=1.0) {
        let hits = (of as f64 * part) as u64;
        let (low, high) = wilson95(hits, of);
        let share = Rate::new(hits, of).value();
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        let (mirrored_low, mirrored_high) = wilson95(of - hits, of);
        prop_assert!((low - (1.0 - mirrored_high)).abs() < 1e-12 && (high - (1.0 - mirrored_low)).abs() < 1e-12);
    }

    #[test]
    fn the_expectation_over_all_pairs_is_the_count_over_all_pairs(flips in prop::collection::vec(any::<bool>(), 2..40)) {
        let mut hits = 0;
        let mut pairs = 0;
        for i in 0..flips.len() {
            for j in 0..i {
                hits += u64::from(flips[i] || flips[j]);
                pairs += 1;
            }
        }
        let brute_force = hits as f64 / pairs as f64;
        prop_assert!((all_pairs_expectation(&flips) - brute_force).abs() < 1e-12);
    }
}

#[test]
fn fewer_than_two_samples_make_no_pair() {
    assert_eq!(all_pairs_expectation(&[]), 0.0);
    assert_eq!(all_pairs_expectation(&[true]), 0.0);
    assert_eq!(all_pairs_expectation(&[true, false]), 1.0);
}

/// The mean of n values drawn from n has every outcome in closed form where the values are 0 and 1: a binomial count.
#[test]
fn the_bootstrap_of_zeros_and_ones_is_binomial() {
    for (ones, n) in [(1, 2), (3, 10), (5, 10), (12, 40)] {
        let values: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < ones))).collect();
        let share = f64::from(ones) / f64::from(n);
        // The cumulative distribution, term by term.
        let mut term = (1.0 - share).powi(n);
        let (mut sum, mut exact) = (term, Vec::new());
        for k in 0..n {
            exact.push(sum);
            term *= f64::from(n - k) / f64::from(k + 1) * share / (1.0 - share);
            sum += term;
        }
        exact.push(1.0);
        let quantile =
            |p: f64| exact.iter().position(|below| *below >= p).unwrap() as f64 / f64::from(n);
        let (low, high) = bootstrap95(&values, Stream::new(1)).unwrap();
        let step = 1.0 / f64::from(n) + 1e-9;
        assert!((low - quantile(0.025)).abs() < step, "{ones}/{n}: {low}");
        assert!((high - quantile(0.975)).abs() < step, "{ones}/{n}: {high}");
        assert!(low < share && share < high);
    }
}

#[test]
fn the_bootstrap_of_many_values_is_normal() {
    let mut stream = Stream::new(2);
    let values: Vec<f64> = (0..400).map(|_| f64::from(stream.normal())).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let half = Z95 * (variance / n).sqrt();
    let (low, high) = bootstrap95(&values, Stream::new(3)).unwrap();
    assert!(
        (low - (mean - half)).abs() < 0.05 * half,
        "{low} {mean} {half}"
    );
    assert!(
        (high - (mean + half)).abs() < 0.05 * half,
        "{high} {mean} {half}"
    );
}

#[test]
fn the_crossed_bootstrap_draws_rows_and_columns() {
    let close = |(a, b): (f64, f64), (c, d): (f64, f64)| {
        assert!(
            (a - c).abs() < 1e-12 && (b - d).abs() < 1e-12,
            "{a} {c} {b} {d}"
        );
    };
    let values = [0.1, 0.4, 0.4, 0.9, 0.2];
    let plain = bootstrap95(&values, Stream::new(7)).unwrap();
    let row: Vec<_> = (0..5).map(|i| (0, i, values[i])).collect();
    let column: Vec<_> = (0..5).map(|i| (i, 0, values[i])).collect();
    close(crossed95(&row, Stream::new(7)).unwrap(), plain);
    close(crossed95(&column, Stream::new(7)).unwrap(), plain);

    // Seeds that make no difference are no further evidence: three rows of equal values are as three values.
    let rows = [0.0, 0.5, 1.0];
    let design = |columns: usize| -> Vec<_> {
        let cells = (0..3).flat_map(|row| (0..columns).map(move |column| (row, column)));
        cells
            .map(|(row, column)| (row, column, rows[row]))
            .collect()
    };
    let (low, high) = crossed95(&design(5), Stream::new(1)).unwrap();
    close((low, high), crossed95(&design(1), Stream::new(2)).unwrap());
    let (narrow_low, narrow_high) = bootstrap95(
        &design(5).iter().map(|cell| cell.2).collect::<Vec<_>>(),
        Stream::new(1),
    )
    .unwrap();
    assert!(low < narrow_low && narrow_high < high);

    // Cells may be missing.
    let some = [(0, 0, 0.2), (1, 1, 0.8)];
    close(crossed95(&some, Stream::new(1)).unwrap(), (0.2, 0.8));
    assert_eq!(crossed95(&[(0, 0, 0.5)], Stream::new(1)), None);
    assert_eq!(
        crossed95(&[(0, 0, 0.5), (1, 0, 0.5)], Stream::new(1)),
        Some((0.5, 0.5))
    );
}

#[test]
fn the_bootstrap_is_deterministic_and_needs_two() {
    let values = [0.1, 0.4, 0.4, 0.9];
    let ask = |seed| bootstrap95(&values, Stream::new(seed)).unwrap();
    assert_eq!(ask(7), ask(7));
    assert_eq!(bootstrap95(&[], Stream::new(7)), None);
    assert_eq!(bootstrap95(&[0.5], Stream::new(7)), None);
    assert_eq!(bootstrap95(&[0.1; 3], Stream::new(7)), Some((0.1, 0.1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_bootstrap_stays_within_the_values(values in prop::collection::vec(0.0..=1.0, 2..12), seed: u64) {
        let (low, high) = bootstrap95(&values, Stream::new(seed)).unwrap();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        prop_assert!(least - 1e-12 <= low && low <= mean + 1e-12 && mean - 1e-12 <= high && high <= most + 1e-12);
    }
}
