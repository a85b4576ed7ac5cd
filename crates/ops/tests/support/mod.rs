//! What the comparisons with PyTorch need: the formula that makes their inputs, and the fixtures that hold their outputs.
//! `scripts/golden/README.md` describes both. The tests of `models` use this folder, too.

// Each test uses its own part.
#![allow(dead_code)]

pub mod fixture;
pub mod formula;

use std::fmt;

/// Where an actual tensor is furthest from the expected one.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// The difference as a share of the expected tensor's largest magnitude; infinite for NaN.
    pub share: f64,
    at: usize,
    actual: f64,
    expected: f64,
}

impl Deviation {
    /// # Panics
    /// If the lengths differ.
    pub fn of(actual: &[f64], expected: &[f64]) -> Self {
        assert_eq!(actual.len(), expected.len(), "numbers of elements differ");
        let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let mut worst = Self {
            share: 0.0,
            at: 0,
            actual: actual[0],
            expected: expected[0],
        };
        for (at, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
            let difference = (actual - expected).abs();
            let share = match difference {
                0.0 => 0.0,
                d if d.is_nan() => f64::INFINITY,
                d => d / largest,
            };
            if share > worst.share {
                worst = Self {
                    share,
                    at,
                    actual,
                    expected,
                };
            }
        }
        worst
    }

    /// Fails with the place, both values and a hint, if the deviation is larger than `tolerance`.
    #[track_caller]
    pub fn assert_within(self, tolerance: f64, what: &str, hint: &str) {
        assert!(
            self.share <= tolerance,
            "{what} differs: {self}, tolerance {tolerance:.1e}\nhint: {hint}"
        );
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "element {} is {:e}, expected {:e}, {:.1e} of the largest magnitude",
            self.at, self.actual, self.expected, self.share
        )
    }
}
