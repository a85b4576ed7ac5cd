//! Detection rates against the setting of an attack: one panel a target, one curve a generator.

/// What rates are drawn against, on a logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is.
    pub title: &'static str,
    /// Whether its numbers are shares, shown in %.
    pub percent: bool,
    /// Whether single rates are drawn beside pair rates.
    pub singles: bool,
}

/// Detection rates of one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// What it shows, and at which scale.
    pub title: String,
    /// What the rates are drawn against.
    pub axis: Axis,
    /// One panel a target.
    pub panels: Vec<Panel>,
}

/// One target.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Data set and network.
    pub title: String,
    /// What stands below it, a line each: the kind of attack, where there are several; accuracy, seeds and pairs; how the paper's
    /// curves are to be called, if there are any.
    pub lines: Vec<String>,
    /// One curve a generator.
    pub curves: Vec<Curve>,
}

/// One generator.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The generator, for people.
    pub name: String,
    /// Which look it has; the same generator has the same one in every figure.
    pub look: usize,
    /// Whether it is the single rate of a generator whose pair rate is drawn as well.
    pub single: bool,
    /// False alarms on the untouched model.
    pub untouched: Option<Dot>,
    /// Our rates, by ascending learning rate; 0 may be the first.
    pub measured: Vec<(f64, Dot)>,
    /// The paper's rates in [0, 1], by ascending learning rate.
    pub printed: Vec<(f64, f64)>,
}

/// A rate in [0, 1] with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// The rate.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Whether it is the balance of the reference labels rather than a detection.
    pub hollow: bool,
}
