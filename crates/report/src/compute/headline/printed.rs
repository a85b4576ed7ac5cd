//! How far detection is from what the paper prints.

use crate::compute::aggregate::{Block, Point, Series};
use crate::compute::columns::{Column, number};
use crate::compute::detection::Kind;
use crate::compute::fields::{AttackFields, read};
use crate::compute::names::main_measure;
use crate::compute::numbers::percent;
use crate::compute::paper::Paper;
use crate::document::table::Cell;

/// What the column of differences means.
pub const NOTE: &str = "beside the paper: the measured rate minus the rate that the paper prints, in percentage points: the mean over all \
                        settings for which it prints one (a backdoor, learning rates of fine-tuning, 8 bits).";

/// The paper's tables of detection rates.
pub struct Papers {
    backdoor: Paper,
    finetune: Paper,
    quantize: Paper,
}

impl Papers {
    /// Tables II to IV.
    pub fn read() -> Self {
        Self {
            backdoor: Paper::table2(),
            finetune: Paper::table3(),
            quantize: Paper::table4(),
        }
    }

    /// The rate that the paper prints for a point of some samples of a block, in % and as printed.
    pub fn rate(&self, block: &Block, series: &Series, point: &Point) -> Option<&'static str> {
        let run = point.runs[0];
        let fields = || read::<AttackFields>(&run.spec);
        let (paper, at) = match run.attack.as_str() {
            "backdoor" => (&self.backdoor, None),
            "finetune" => (&self.finetune, Some(fields()?.lr?)),
            "quantize" => (&self.quantize, Some(fields()?.bits?)),
            _ => return None,
        };
        let printed = block.comparability().paper_reference()?;
        let plain = series.variant.is_empty();
        let measure = main_measure(series.generator);
        paper
            .rate(printed.dataset, series.generator, measure, at)
            .filter(|_| plain && point.setting.is_attack())
    }

    /// The measured rate minus the printed one, in percentage points.
    pub fn difference(&self, block: &Block, series: &Series, point: &Point) -> Option<f64> {
        let printed: f64 = self.rate(block, series, point)?.parse().ok()?;
        Some(percent(point.rate(main_measure(series.generator))) - printed)
    }

    /// Whether the paper prints anything for some block.
    pub fn compare_any(&self, blocks: &[Block]) -> bool {
        let mut all = blocks.iter().flat_map(|block| {
            let series = block.series.iter();
            series.filter_map(|series| self.mean(block, series))
        });
        all.next().is_some()
    }

    /// The mean difference over all settings.
    fn mean(&self, block: &Block, series: &Series) -> Option<f64> {
        let points = series.points.iter();
        let all = points.filter_map(|point| self.difference(block, series, point));
        let all: Vec<f64> = all.collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }

    /// The column of mean differences.
    pub fn column<'b>(&'b self) -> Column<'b, Kind<'b>> {
        number("beside the paper", "difference", |kind: &Kind| {
            difference(self.mean(kind.block, kind.series))
        })
    }
}

/// A difference with its sign.
pub fn difference(points: Option<f64>) -> Cell {
    Cell::maybe(points, |points| {
        let text = match points.abs() < 0.05 {
            true => "0.0".to_owned(),
            false => format!("{points:+.1}"),
        };
        Cell::text(text.replace('-', "\u{2212}"))
    })
}
