//! Rates side by side: a row for each kind of samples, a strip of bars for each question.

/// Panels of bars, one below the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What it shows, and at which scale.
    pub title: String,
    /// One panel a target.
    pub panels: Vec<BarsPanel>,
}

/// Strips of bars with common rows.
#[derive(Clone, Debug, PartialEq)]
pub struct BarsPanel {
    /// Data set and network.
    pub title: String,
    /// The names of the rows.
    pub names: Vec<String>,
    /// The strips, from left to right.
    pub strips: Vec<Strip>,
}

/// One bar for each row, from 0 to 100 %.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// What the bars are.
    pub title: String,
    /// More about it, a line each; there is room for two.
    pub below: Vec<String>,
    /// Whether short bars are good: these are false alarms.
    pub alarm: bool,
    /// One a row; `None` if there is no result.
    pub bars: Vec<Option<Bar>>,
}

/// A rate in [0, 1] with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// The rate.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}
