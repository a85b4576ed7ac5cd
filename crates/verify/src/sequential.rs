//! A sequential test of how many pairs flip. It asks no more pairs than its risks need.
//!
//! Let p be the rate at which pairs of a generator flip. The test compares two rates: `noise`, a bound for the untouched model, and
//! `change`, the smallest rate that must be detected. After every pair it updates the likelihood ratio of `change` to `noise`,
//!
//! L = (change / noise)^flips · ((1 − change) / (1 − noise))^(pairs − flips).
//!
//! It says "changed" as soon as L ≥ 1 / `false_alarm`, and "intact" as soon as L ≤ `miss` (Wald 1945).
//!
//! # Why the risks hold
//!
//! The mean factor of a pair is p · change / noise + (1 − p) (1 − change) / (1 − noise). It grows with p and is 1 at p = `noise`. So L is a
//! supermartingale for all p ≤ `noise`. By Ville's inequality it ever reaches 1 / `false_alarm` with a probability of at most `false_alarm`.
//! In the same way 1 / L is a supermartingale for all p ≥ `change`, and reaches 1 / `miss` with a probability of at most `miss`. Both hold
//! however long the test runs and wherever it is stopped. They need independent pairs. Pairs of one set are so if each starts from images of
//! its own; with few images some share one.

/// The risks of a test, and the two flip rates that it tells apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risks {
    false_alarm: f64,
    noise: f64,
    change: f64,
    miss: f64,
}

/// Risks that no test can keep.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RiskError {
    /// A probability that is not one.
    #[error("the {name} is {value}; give a number above 0 and below 1")]
    Share {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The two rates are not apart.
    #[error(
        "up to {:.1} % of the pairs may flip on the untouched model, so a change of {:.1} % cannot be told from it; detect a larger change, or measure more pairs",
        100.0 * noise,
        100.0 * change
    )]
    Apart {
        /// The bound on the flip rate of the untouched model.
        noise: f64,
        /// The flip rate to detect.
        change: f64,
    },
}

/// The end of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The flip rate is below the one to be detected.
    Intact,
    /// The flip rate is above that of the untouched model.
    Changed,
}

/// The probabilities of each end of a test; their sum is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ends {
    /// Of "intact".
    pub intact: f64,
    /// Of "changed".
    pub changed: f64,
    /// That the pairs run out first.
    pub undecided: f64,
}

impl Risks {
    /// Risks in (0, 1). `noise` bounds the flip rate of the untouched model; `change` is the smallest flip rate to detect.
    ///
    /// # Errors
    /// If a number is not above 0 and below 1, or `noise` is not below `change`.
    pub fn new(false_alarm: f64, noise: f64, change: f64, miss: f64) -> Result<Self, RiskError> {
        let named = [
            ("false-alarm risk", false_alarm),
            ("flip rate of the untouched model", noise),
            ("flip rate to detect", change),
            ("risk of a miss", miss),
        ];
        for (name, value) in named {
            if !(value > 0.0 && value < 1.0) {
                return Err(RiskError::Share { name, value });
            }
        }
        if noise >= change {
            return Err(RiskError::Apart { noise, change });
        }
        Ok(Self {
            false_alarm,
            noise,
            change,
            miss,
        })
    }

    /// The probability of "changed" for the untouched model, at most.
    pub fn false_alarm(&self) -> f64 {
        self.false_alarm
    }

    /// The bound on the flip rate of the untouched model.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The smallest flip rate to detect.
    pub fn change(&self) -> f64 {
        self.change
    }

    /// The probability of "intact" for a change that flips this many pairs, at most.
    pub fn miss(&self) -> f64 {
        self.miss
    }

    /// The pairs that "intact" takes if none flips.
    pub fn least_pairs(&self) -> u64 {
        let mut test = Sequential::new(*self);
        while test.record(false).is_none() {}
        test.pairs()
    }

    /// The probabilities of the ends if pairs flip at `rate`, in [0, 1], and there are at most `pairs` of them.
    pub fn ends(&self, rate: f64, pairs: u64) -> Ends {
        let mut ends = Ends::default();
        // The probability of each number of flips, of tests that still run.
        let mut running = vec![1.0];
        for asked in 1..=pairs {
            let mut next = vec![0.0; running.len() + 1];
            for (flips, share) in running.into_iter().enumerate() {
                next[flips] += share * (1.0 - rate);
                next[flips + 1] += share * rate;
            }
            for (flips, share) in next.iter_mut().enumerate() {
                let end = match self.decide(self.log_ratio(asked, flips as u64)) {
                    Some(Decision::Intact) => &mut ends.intact,
                    Some(Decision::Changed) => &mut ends.changed,
                    None => continue,
                };
                *end += std::mem::take(share);
            }
            running = next;
        }
        ends.undecided = running.iter().sum();
        ends
    }

    /// ln L.
    fn log_ratio(&self, pairs: u64, flips: u64) -> f64 {
        let flip = (self.change / self.noise).ln();
        let none = ((1.0 - self.change) / (1.0 - self.noise)).ln();
        flips as f64 * flip + (pairs - flips) as f64 * none
    }

    fn decide(&self, log_ratio: f64) -> Option<Decision> {
        if log_ratio >= -self.false_alarm.ln() {
            Some(Decision::Changed)
        } else if log_ratio <= self.miss.ln() {
            Some(Decision::Intact)
        } else {
            None
        }
    }
}

/// A running test.
#[derive(Clone, Debug)]
pub struct Sequential {
    risks: Risks,
    pairs: u64,
    flips: u64,
    /// The largest ln L so far.
    largest: f64,
}

impl Sequential {
    /// A test without any pair.
    pub fn new(risks: Risks) -> Self {
        Self {
            risks,
            pairs: 0,
            flips: 0,
            largest: 0.0,
        }
    }

    /// Counts a pair and decides, if the risks allow it.
    pub fn record(&mut self, flipped: bool) -> Option<Decision> {
        self.pairs += 1;
        self.flips += u64::from(flipped);
        let ratio = self.risks.log_ratio(self.pairs, self.flips);
        self.largest = self.largest.max(ratio);
        self.risks.decide(ratio)
    }

    /// Pairs so far.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Pairs that flipped.
    pub fn flips(&self) -> u64 {
        self.flips
    }

    /// The p-value of "untouched", in (0, 1]. It holds at any time: for the untouched model it is ever at or below p with a probability of at
    /// most p.
    pub fn p_value(&self) -> f64 {
        (-self.largest).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_random::Stream;

    fn risks() -> Risks {
        Risks::new(0.01, 0.05, 0.25, 0.02).unwrap()
    }

    fn simulated(rate: f64, pairs: u64, runs: u32) -> Ends {
        let mut stream = Stream::new(7);
        let mut ends = Ends::default();
        for _ in 0..runs {
            let mut test = Sequential::new(risks());
            let end = (0..pairs).find_map(|_| test.record(f64::from(stream.uniform()) < rate));
            *match end {
                Some(Decision::Intact) => &mut ends.intact,
                Some(Decision::Changed) => &mut ends.changed,
                None => &mut ends.undecided,
            } += 1.0 / f64::from(runs);
        }
        ends
    }

    #[test]
    fn simulated_error_rates_keep_the_risks() {
        // 20,000 runs: four standard deviations of a rate of 0.01 are 0.003.
        for rate in [0.0, 0.02, 0.05] {
            let ends = simulated(rate, 1000, 20_000);
            assert!(ends.changed <= 0.01 + 0.003, "{rate}: {ends:?}");
            assert!(ends.intact > 0.98, "{rate}: {ends:?}");
        }
        for rate in [0.25, 0.5, 1.0] {
            let ends = simulated(rate, 1000, 20_000);
            assert!(ends.intact <= 0.02 + 0.004, "{rate}: {ends:?}");
            assert!(ends.changed > 0.97, "{rate}: {ends:?}");
        }
    }

    #[test]
    fn the_ends_are_those_of_a_simulation() {
        for rate in [0.0, 0.1, 0.3] {
            for pairs in [10, 40] {
                let (exact, drawn) = (risks().ends(rate, pairs), simulated(rate, pairs, 20_000));
                for (exact, drawn) in [
                    (exact.intact, drawn.intact),
                    (exact.changed, drawn.changed),
                    (exact.undecided, drawn.undecided),
                ] {
                    assert!((exact - drawn).abs() < 0.015, "{exact} {drawn}");
                }
                let sum = exact.intact + exact.changed + exact.undecided;
                assert!((sum - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_p_value_is_rarely_small_for_the_untouched_model() {
        let mut stream = Stream::new(3);
        let mut small = 0;
        for _ in 0..2000 {
            let mut test = Sequential::new(risks());
            (0..200).for_each(|_| {
                test.record(stream.uniform() < 0.05);
            });
            small += u32::from(test.p_value() <= 0.1);
        }
        assert!(small <= 200 + 54, "{small} of 2000");
    }

    #[test]
    fn the_default_risks_take_few_pairs() {
        // 150 pairs of which none flipped, see `Rate::upper`.
        let risks = Risks::new(5e-4, 0.05, 0.25, 0.01).unwrap();
        assert_eq!(risks.least_pairs(), 20);
        assert_eq!(Sequential::new(risks).record(true), None);
    }

    #[test]
    fn risks_that_cannot_be_kept_are_refused() {
        let error = Risks::new(1e-3, 0.3, 0.25, 0.01).unwrap_err().to_string();
        assert!(error.starts_with("up to 30.0 % of the pairs"), "{error}");
        let error = Risks::new(0.0, 0.1, 0.25, 0.01).unwrap_err().to_string();
        assert_eq!(
            error,
            "the false-alarm risk is 0; give a number above 0 and below 1"
        );
        assert!(Risks::new(1e-3, f64::NAN, 0.25, 0.01).is_err());
    }
}
