//! Detection rate against the field that a study varies as a value: one panel a target, one curve a generator. How it looks
//! is up to `draw`, which knows neither records nor statistics.

mod draw;

use spec::Scale;
use verify::Rate;

use crate::names::{GENERATORS, main_measure};
use crate::paper::{Kinship, Measure, Paper};
use crate::pool::{Block, REDUCED, Series};
use crate::study::{Axis, Study};

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
    /// Whether it tells the balance of the reference labels rather than a detection.
    pub hollow: bool,
}

impl Dot {
    fn new(rate: Rate, (low, high): (f64, f64), hollow: bool) -> Option<Self> {
        (rate.of() > 0).then(|| Self {
            rate: rate.value(),
            low,
            high,
            hollow,
        })
    }
}

impl Rates {
    /// The figure of some blocks, if their study has one.
    pub(crate) fn of(blocks: &[Block], study: &Study, paper: &Paper, scale: Scale) -> Option<Self> {
        let axis = study.figure?;
        Some(Self {
            title: format!(
                "{}: {}detection rate {}{}",
                study.name,
                if axis.singles { "" } else { "pair " },
                study.after,
                scale.title_suffix()
            ),
            axis,
            panels: blocks
                .iter()
                .map(|block| panel(block, study, axis, paper, scale))
                .collect(),
        })
    }
}

fn panel(block: &Block, study: &Study, axis: Axis, paper: &Paper, scale: Scale) -> Panel {
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
        let main = main_measure(series.generator);
        let mut curve = curve(
            series,
            main,
            look.or_else(|| others.next()).unwrap_or_default(),
        );
        if look.is_some() {
            curve.printed = printed(series, paper, setting.dataset);
        }
        let single = axis.singles && main == Measure::Pair && !series.are_pairs();
        let single = single.then(|| Curve {
            single: true,
            ..self::curve(series, Measure::Single, curve.look)
        });
        curves.push(curve);
        curves.extend(single);
    }
    let top1 = block.target.accuracy;
    let reduced = block.reduced(scale).map(|_| format!(", {REDUCED}"));
    let label = match kinship {
        Kinship::Same(_) => format!("paper: {setting}, the same data set and network"),
        Kinship::Akin(_) => format!("paper: {setting}, not the same experiment"),
        Kinship::Foreign(_) => format!("paper: {setting}, another data set, for orientation only"),
    };
    let kind = Some(block.attack_variant.clone()).filter(|kind| !kind.is_empty());
    let measured = format!(
        "top-1 {:.1} % ({}/{}), {}{}",
        100.0 * top1.value(),
        top1.hits(),
        top1.of(),
        block.extent().join(", "),
        reduced.unwrap_or_default()
    );
    let printed = curves.iter().any(|curve| !curve.printed.is_empty());
    let lines = kind.into_iter().chain([measured]).chain(block.gap(study));
    Panel {
        title: block.target_lines().join(", "),
        lines: lines.chain(printed.then_some(label)).collect(),
        curves,
    }
}

fn curve(series: &Series, measure: Measure, look: usize) -> Curve {
    let name = match measure {
        Measure::Single => format!("{} (single)", series.title()),
        Measure::Pair => series.title(),
    };
    // What stands left of the break are false alarms.
    let points = series.points.iter().filter(|point| !point.moves_at_zero());
    let dots = points.filter_map(|point| {
        let hollow = point.tells_balance() && !series.are_pairs();
        let dot = Dot::new(point.rate(measure), point.interval(measure), hollow)?;
        Some((point.setting.value()?, dot))
    });
    let alarms = series.false_alarms(measure);
    Curve {
        name,
        look,
        single: false,
        untouched: Dot::new(alarms, alarms.wilson95(), false),
        measured: dots.collect(),
        printed: Vec::new(),
    }
}

fn printed(series: &Series, paper: &Paper, dataset: &str) -> Vec<(f64, f64)> {
    let rates = paper.values(dataset).into_iter().filter_map(|at| {
        let rate = paper.rate(
            dataset,
            series.generator,
            main_measure(series.generator),
            at,
        )?;
        Some((at?, rate.parse::<f64>().ok()? / 100.0))
    });
    rates.collect()
}
