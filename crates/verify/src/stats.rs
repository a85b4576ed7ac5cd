//! Counts and their uncertainty: rates with 95 % Wilson intervals, means with 95 % bootstrap intervals.

use std::{fmt, ops::Add};

use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the standard normal distribution, rounded to f64: 2.5 % lie above it, and 2.5 % below its negative.
pub const Z95: f64 = 1.959_963_984_540_054;

/// A number of hits out of a number of trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Counts")]
pub struct Rate {
    hits: u64,
    of: u64,
}

/// A rate in a file, before it is checked.
#[derive(Deserialize)]
#[serde(rename = "Rate", deny_unknown_fields)]
struct Counts {
    hits: u64,
    of: u64,
}

impl TryFrom<Counts> for Rate {
    type Error = String;

    fn try_from(Counts { hits, of }: Counts) -> Result<Self, String> {
        if hits > of {
            return Err(format!("{hits} hits of {of} trials"));
        }
        Ok(Self { hits, of })
    }
}

impl Rate {
    /// `hits` of `of`.
    ///
    /// # Panics
    /// If there are more hits than trials.
    pub fn new(hits: u64, of: u64) -> Self {
        assert!(hits <= of, "{hits} hits of {of}");
        Self { hits, of }
    }

    /// Counts the `outcomes` that are true.
    pub fn count(outcomes: impl IntoIterator<Item = bool>) -> Self {
        outcomes
            .into_iter()
            .fold(Self::default(), |rate, hit| Self {
                hits: rate.hits + u64::from(hit),
                of: rate.of + 1,
            })
    }

    /// The hits.
    pub fn hits(self) -> u64 {
        self.hits
    }

    /// The trials.
    pub fn of(self) -> u64 {
        self.of
    }

    /// The share, in [0, 1]; NaN without trials.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The 95 % Wilson interval of the share, see [`wilson95`].
    pub fn wilson95(self) -> (f64, f64) {
        wilson95(self.hits, self.of)
    }

    /// An upper bound on the probability of a hit, which is wrong with a probability of at most `risk` (Clopper and Pearson 1934); 1
    /// without trials, or if all hit.
    pub fn upper(self, risk: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        if self.hits == self.of {
            return high;
        }
        // The chance of so few hits falls as the probability grows. The bound is where it falls to `risk`.
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            match self.at_most(middle) > risk {
                true => low = middle,
                false => high = middle,
            }
        }
        high
    }

    /// The chance of at most so many hits in so many trials, each with `probability`, in (0, 1).
    fn at_most(self, probability: f64) -> f64 {
        let odds = (probability / (1.0 - probability)).ln();
        let mut term = self.of as f64 * (-probability).ln_1p();
        let mut sum = term.exp();
        for hit in 1..=self.hits {
            term += ((self.of - hit + 1) as f64 / hit as f64).ln() + odds;
            sum += term.exp();
        }
        sum
    }
}

/// Pools two counts.
impl Add for Rate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            of: self.of + other.of,
        }
    }
}

impl std::iter::Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        rates.fold(Self::default(), Add::add)
    }
}

/// `12/30 = 40.0 % [24.6, 57.7]`: counts, share, 95 % interval; only `0/0` without trials.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.hits, self.of)?;
        if self.of == 0 {
            return Ok(());
        }
        let (low, high) = self.wilson95();
        write!(
            f,
            " = {:.1} % [{:.1}, {:.1}]",
            100.0 * self.value(),
            100.0 * low,
            100.0 * high
        )
    }
}

/// The 95 % Wilson score interval of a share (Wilson 1927), within [0, 1]; all of [0, 1] without trials.
///
/// It holds for independent trials. Samples of one attacked model are not independent: see each table's notes.
pub fn wilson95(hits: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (hits, n, z2) = (hits as f64, of as f64, Z95 * Z95);
    let share = hits / n;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the bound is exact: rounding must not turn 0 into 1e-17.
    let low = if hits == 0.0 { 0.0 } else { centre - half };
    let high = if hits == n { 1.0 } else { centre + half };
    (low, high)
}

/// The number of resamples of [`bootstrap95`].
pub const RESAMPLES: usize = 10_000;

/// A value of a crossed design: row, column, value.
pub type Crossed = (usize, usize, f64);

/// The 95 % percentile bootstrap interval of the mean of a crossed design, e.g. of the rates of sample sets (rows) under attack seeds
/// (columns); `None` for fewer than two values.
///
/// Values of one row, or of one column, depend on each other. So whole rows and whole columns are drawn (the pigeonhole bootstrap, Owen
/// 2007). With one row, or one column, it is [`bootstrap95`] of the values.
pub fn crossed95(values: &[Crossed], mut stream: Stream) -> Option<(f64, f64)> {
    let first = values.first()?.2;
    if values.len() < 2 {
        return None;
    }
    if values.iter().all(|(_, _, value)| *value == first) {
        return Some((first, first));
    }
    let count = |index: fn(&Crossed) -> usize| values.iter().map(index).max().map_or(0, |n| n + 1);
    let (rows, columns) = (count(|value| value.0), count(|value| value.1));
    let mut draw = |n: usize| {
        let mut times = vec![0u32; n];
        match n {
            1 => times[0] = 1,
            _ => (0..n).for_each(|_| times[stream.below(n)] += 1),
        }
        times
    };
    let mut resample = || {
        loop {
            let (rows, columns) = (draw(rows), draw(columns));
            let (mut sum, mut drawn) = (0.0, 0);
            for &(row, column, value) in values {
                let times = rows[row] * columns[column];
                sum += f64::from(times) * value;
                drawn += times;
            }
            // If cells are missing, a draw may contain no value.
            if drawn > 0 {
                return sum / f64::from(drawn);
            }
        }
    };
    let means = (0..RESAMPLES).map(|_| resample()).collect();
    Some(percentiles95(means))
}

/// The 95 % percentile bootstrap interval of the mean of `values` (Efron 1979); `None` for fewer than two values.
///
/// Each value is a cluster that is drawn as a whole, e.g. the rate of one run. So only runs must be independent, not the samples of one
/// attacked model. With few values the interval is too short: of three, the extremes are drawn often.
pub fn bootstrap95(values: &[f64], mut stream: Stream) -> Option<(f64, f64)> {
    let (first, n) = (*values.first()?, values.len());
    if n < 2 {
        return None;
    }
    // Equal numbers need no draw, and their mean no rounding.
    if values.iter().all(|value| *value == first) {
        return Some((first, first));
    }
    let mut resample = || (0..n).map(|_| values[stream.below(n)]).sum::<f64>() / n as f64;
    let means = (0..RESAMPLES).map(|_| resample()).collect();
    Some(percentiles95(means))
}

/// The range of the means without the lowest and the highest 2.5 %.
fn percentiles95(mut means: Vec<f64>) -> (f64, f64) {
    means.sort_by(f64::total_cmp);
    let outside = means.len() / 40;
    (means[outside], means[means.len() - 1 - outside])
}
