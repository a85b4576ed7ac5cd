//! Detection rate against learning rate as a value: one panel a target, one curve a generator. How it looks is up to
//! `draw`, which knows neither records nor statistics.

mod canvas;
mod draw;

use spec::Scale;
use verify::Rate;

use crate::paper::{Kinship, Measure, Paper};
use crate::pool::{Block, GENERATORS, Series};

/// The figure of a fine-tuning grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows, and at which scale.
    pub title: String,
    /// One panel a target.
    pub panels: Vec<Panel>,
}

/// One target.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Data set and network.
    pub title: String,
    /// Accuracy, seeds, pairs.
    pub subtitle: String,
    /// How the paper's curves are to be called; `None` if there are none.
    pub paper: Option<String>,
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
    /// Whether it tells the balance of the reference labels rather than a detection.
    pub hollow: bool,
}

impl Dot {
    fn new(rate: Rate, hollow: bool) -> Option<Self> {
        let (low, high) = rate.wilson95();
        (rate.of() > 0).then(|| Self {
            rate: rate.value(),
            low,
            high,
            hollow,
        })
    }
}

impl Figure {
    pub(crate) fn new(blocks: &[Block], paper: &Paper, scale: Scale) -> Self {
        Self {
            title: format!(
                "Table III: pair detection rate after fine-tuning{}",
                scale.title_suffix()
            ),
            panels: blocks.iter().map(|block| panel(block, paper)).collect(),
        }
    }
}

fn panel(block: &Block, paper: &Paper) -> Panel {
    let kinship = block.kinship();
    let setting = kinship.setting();
    let mut curves: Vec<Curve> = Vec::new();
    let mut others = GENERATORS.len()..;
    for series in &block.series {
        // The paper's generators have looks of their own; others, and second variants of a generator, follow.
        let known = GENERATORS
            .iter()
            .position(|(name, _)| *name == series.generator);
        let look = known.filter(|look| curves.iter().all(|curve| curve.look != *look));
        let mut curve = curve(series, look.or_else(|| others.next()).unwrap_or_default());
        if look.is_some() {
            curve.printed = printed(series, paper, setting.dataset);
        }
        curves.push(curve);
    }
    let top1 = block.target.accuracy;
    let label = match kinship {
        Kinship::Same(_) => format!("paper: {setting}, the same data set and network"),
        Kinship::Akin(_) => format!("paper: {setting}, not the same experiment"),
        Kinship::Foreign(_) => format!("paper: {setting}, another data set, for orientation only"),
    };
    Panel {
        title: block.title(),
        subtitle: format!(
            "top-1 {:.1} % ({}/{}), {}",
            100.0 * top1.value(),
            top1.hits(),
            top1.of(),
            block.extent()
        ),
        paper: curves
            .iter()
            .any(|curve| !curve.printed.is_empty())
            .then_some(label),
        curves,
    }
}

/// Plain images have no pairs in the paper: their single rate is drawn.
fn measure(series: &Series) -> Measure {
    match series.generator {
        "validset" => Measure::Single,
        _ => Measure::Pair,
    }
}

fn curve(series: &Series, look: usize) -> Curve {
    let measure = measure(series);
    let name = match measure {
        Measure::Single => format!("{} (single)", series.title()),
        Measure::Pair => series.title(),
    };
    let dots = series.points.iter().filter_map(|point| {
        let hollow = point.same_label() && !series.are_pairs();
        Some((point.lr, Dot::new(point.rate(measure), hollow)?))
    });
    Curve {
        name,
        look,
        untouched: Dot::new(series.false_alarms(measure), false),
        measured: dots.collect(),
        printed: Vec::new(),
    }
}

fn printed(series: &Series, paper: &Paper, dataset: &str) -> Vec<(f64, f64)> {
    let rates = paper.lrs(dataset).into_iter().filter_map(|lr| {
        let rate = paper.rate(dataset, series.generator, measure(series), lr)?;
        Some((lr, rate.parse::<f64>().ok()? / 100.0))
    });
    rates.collect()
}
