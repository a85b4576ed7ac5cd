//! The figure of detection rates: one panel a block, one curve a generator.

use brink_verify::Rate;

use super::super::aggregate::{Block, REDUCED, Series};
use super::super::names::{COMPARED, main_measure, rank};
use super::super::numbers::non_empty;
use super::super::paper::{Comparability, Measure, Paper};
use super::Findings;
use crate::document::figure::{Axis, Curve, Dot, Figure, Panel, Rates};

impl Findings<'_> {
    /// The figures: of each target the kind of attack with most settings, which answers the paper's question; then, in a sheet
    /// of its own, the other kinds.
    pub fn figures(&self, axis: Axis) -> Vec<(String, Figure)> {
        let (main, others): (Vec<&Block>, Vec<&Block>) =
            self.blocks.iter().partition(|block| self.is_main(block));
        let sheet = |name: &str, what: &str, blocks: Vec<&Block>| {
            let pair = if axis.singles { "" } else { "pair " };
            let what = format!(": {pair}detection rate {}{what}", self.study.after);
            let rates = Rates {
                title: self.title(&what),
                axis,
                panels: blocks
                    .into_iter()
                    .map(|block| self.panel(block, axis))
                    .collect(),
            };
            (name.to_owned(), Figure::Rates(rates))
        };
        let mut figures = vec![sheet("", "", main)];
        if !others.is_empty() {
            figures.push(sheet("others", ", other kinds", others));
        }
        figures
    }

    /// Whether no kind of attack on the same target has more settings, or as many and comes before.
    fn is_main(&self, block: &Block) -> bool {
        let of_target = |other: &&Block| other.target.record.id == block.target.record.id;
        let same = self.blocks.iter().filter(of_target);
        let most = same.rev().max_by_key(|other| other.settings().len());
        most.is_some_and(|most| most.attack_variant == block.attack_variant)
    }

    fn panel(&self, block: &Block, axis: Axis) -> Panel {
        let comparability = block.comparability();
        let setting = comparability.setting();
        let mut curves: Vec<Curve> = Vec::new();
        let mut others = COMPARED..;
        for series in &block.series {
            // The paper's generators have looks of their own; others, and second variants of a generator, follow.
            let look = Some(rank(series.generator)).filter(|look| *look < COMPARED);
            let look = look.filter(|look| curves.iter().all(|curve| curve.look != *look));
            let main = main_measure(series.generator);
            let mut curve = curve(
                series,
                main,
                look.or_else(|| others.next()).unwrap_or_default(),
            );
            if look.is_some() {
                curve.printed = printed(series, &self.paper, setting.dataset);
            }
            let single = axis.singles && main == Measure::Pair && !series.are_pairs();
            let single = single.then(|| Curve {
                single: true,
                ..self::curve(series, Measure::Single, curve.look)
            });
            curves.push(curve);
            curves.extend(single);
        }
        let top1 = block.target.record.accuracy;
        let reduced = block
            .reduced(self.input.scale)
            .map(|_| format!(", {REDUCED}"));
        let label = match comparability {
            Comparability::Same(_) => format!("paper: {setting}, the same data set and network"),
            Comparability::Related(_) => format!("paper: {setting}, not the same experiment"),
            Comparability::Unrelated(_) => {
                format!("paper: {setting}, another data set, for orientation only")
            }
        };
        let kind = non_empty(&block.attack_variant);
        let measured = format!(
            "top-1 {:.1} % ({}/{}), {}{}",
            100.0 * top1.value(),
            top1.hits(),
            top1.of(),
            block.extent().join(", "),
            reduced.unwrap_or_default()
        );
        let printed = curves.iter().any(|curve| !curve.printed.is_empty());
        let lines = kind
            .into_iter()
            .chain([measured])
            .chain(block.gap(self.study));
        Panel {
            title: block.target.lines().join(", "),
            lines: lines.chain(printed.then_some(label)).collect(),
            curves,
        }
    }
}

fn dot(rate: Rate, (low, high): (f64, f64), hollow: bool) -> Option<Dot> {
    (rate.of() > 0).then(|| Dot {
        rate: rate.value(),
        low,
        high,
        hollow,
    })
}

fn curve(series: &Series, measure: Measure, look: usize) -> Curve {
    let name = match measure {
        Measure::Single => format!("{} (single)", series.title),
        Measure::Pair => series.title.clone(),
    };
    // Left of the break are false alarms only.
    let points = series.points.iter().filter(|point| !point.moves_at_zero());
    let dots = points.filter_map(|point| {
        let hollow = point.tells_balance() && !series.are_pairs();
        let dot = dot(point.rate(measure), point.interval(measure), hollow)?;
        Some((point.setting.value()?, dot))
    });
    let alarms = series.false_alarms(measure);
    Curve {
        name,
        look,
        single: false,
        untouched: dot(alarms, alarms.wilson95(), false),
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
