//! Rates and their intervals, against published values.

use proptest::prelude::*;
use verify::{
    Rate, all_pairs_expectation,
    stats::{Z95, wilson95},
};

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
