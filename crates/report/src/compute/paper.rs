//! The paper's printed numbers (Gao et al., ICME 2024, arXiv 2404.07572), and which of our targets they compare to.

use std::collections::BTreeMap;

use brink_store::{RunRecord, TargetRecord};
use brink_verify::Rate;

use super::target::width;

/// One setting of the paper's experiments (section IV-A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Data set, as in the `dataset` column.
    pub dataset: &'static str,
    /// Data set for people.
    pub title: &'static str,
    /// Data sets of the same images in another form.
    pub related: &'static [&'static str],
    /// Network for people.
    pub network: &'static str,
    /// Network, as in records.
    pub model: &'static str,
    /// Its top-1 accuracy as printed, in %.
    pub top1: &'static str,
}

/// Samples of each set (section IV-A).
pub const SAMPLES: u64 = 150;
/// Iterations of stage 1 at most (section IV-A).
pub const ITERATIONS: u64 = 10_000;

/// The paper's three settings.
pub const SETTINGS: [Setting; 3] = [
    Setting {
        dataset: "cifar10",
        title: "CIFAR-10",
        related: &["cifar10-jpeg"],
        network: "ResNet18",
        model: "resnet18",
        top1: "91.26",
    },
    Setting {
        dataset: "gtsrb",
        title: "GTSRB",
        related: &["gtsrb-thinned"],
        network: "VGG16",
        model: "vgg16",
        top1: "96.70",
    },
    Setting {
        dataset: "flowers102",
        title: "Flowers-102",
        related: &["flowers102-64"],
        network: "ResNet152",
        model: "resnet152",
        top1: "98.41",
    },
];

impl Setting {
    /// Whether the network of `target` is this one, at full width.
    pub fn has_the_network_of(&self, target: &TargetRecord) -> bool {
        target.model == self.model && width(target).is_none()
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.title, self.network)
    }
}

/// How far a target's numbers can be compared with those of a setting of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparability {
    /// The same data set and network: numbers may be compared.
    Same(&'static Setting),
    /// Another form of the data set, or another network: numbers may be compared if the difference is named.
    Related(&'static Setting),
    /// Another data set: the paper's numbers are for orientation only.
    Unrelated(&'static Setting),
}

impl Comparability {
    /// How close `target` is to the paper.
    pub fn of(target: &TargetRecord) -> Self {
        let dataset = target.dataset.as_str();
        let same = |setting: &Setting| setting.dataset == dataset;
        let mut settings = SETTINGS.iter();
        match settings.find(|setting| same(setting) || setting.related.contains(&dataset)) {
            Some(setting) if same(setting) && setting.has_the_network_of(target) => {
                Self::Same(setting)
            }
            Some(setting) => Self::Related(setting),
            None => Self::Unrelated(&SETTINGS[0]),
        }
    }

    /// The setting whose numbers the target's may be compared with, if any.
    pub fn paper_reference(self) -> Option<&'static Setting> {
        match self {
            Self::Same(setting) | Self::Related(setting) => Some(setting),
            Self::Unrelated(_) => None,
        }
    }

    /// Its word in data files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Related(_) => "akin",
            Self::Unrelated(_) => "foreign",
        }
    }

    /// The closest setting, comparable or not.
    pub fn setting(self) -> &'static Setting {
        match self {
            Self::Same(setting) | Self::Related(setting) | Self::Unrelated(setting) => setting,
        }
    }
}

/// One of the two detection rates of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Samples whose label changed.
    Single,
    /// Pairs of which at least one member's label changed.
    Pair,
}

impl Measure {
    /// `single` or `pair`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Pair => "pair",
        }
    }

    /// This rate of a run.
    pub(crate) fn of(self, run: &RunRecord) -> Rate {
        match self {
            Self::Single => run.single,
            Self::Pair => run.pair,
        }
    }
}

/// The lines of a file of the paper's numbers, each by the names of its columns.
pub(crate) fn lines(text: &'static str) -> Vec<BTreeMap<&'static str, &'static str>> {
    let mut lines = text.lines();
    let names: Vec<_> = lines
        .next()
        .map_or(Vec::new(), |head| head.split(',').collect());
    lines
        .map(|line| names.iter().copied().zip(line.split(',')).collect())
        .collect()
}

/// A table of detection rates as the paper prints it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paper {
    rows: Vec<Printed>,
}

#[derive(Clone, Debug, PartialEq)]
struct Printed {
    dataset: &'static str,
    /// The value of the field that the table varies; none if it varies none.
    at: Option<f64>,
    /// By (generator, measure), as printed: `100` is not `100.00`.
    rates: BTreeMap<(&'static str, Measure), &'static str>,
}

impl Paper {
    /// Table II.
    pub fn table2() -> Self {
        Self::of(
            include_str!("../../../../experiments/table2/paper.csv"),
            None,
        )
    }

    /// Table III, by learning rate.
    pub fn table3() -> Self {
        Self::of(
            include_str!("../../../../experiments/table3/paper.csv"),
            Some("lr"),
        )
    }

    /// Table IV, which is all of 8 bits.
    pub fn table4() -> Self {
        let mut paper = Self::of(
            include_str!("../../../../experiments/table4/paper.csv"),
            None,
        );
        for row in &mut paper.rows {
            row.at = Some(8.0);
        }
        paper
    }

    /// Reads a file with the columns `dataset`, `axis` if there is one, and `<generator>_<measure>` in %. A column without a
    /// measure holds the single rate. Empty fields were not printed.
    fn of(text: &'static str, axis: Option<&str>) -> Self {
        let rows = lines(text).into_iter().map(|mut line| Printed {
            dataset: line.remove("dataset").unwrap_or_default(),
            at: axis.and_then(|axis| line.remove(axis)?.parse().ok()),
            rates: line
                .into_iter()
                .filter(|(_, rate)| !rate.is_empty())
                .map(|(column, rate)| (key(column), rate))
                .collect(),
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// The rate that the paper prints, in % and with its digits; `at` is the value of the field that the table varies.
    pub fn rate(
        &self,
        dataset: &str,
        generator: &str,
        measure: Measure,
        at: Option<f64>,
    ) -> Option<&'static str> {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.dataset == dataset && same(row.at, at))?;
        let mut rates = row.rates.iter();
        let rate = rates.find(|((name, of), _)| *name == generator && *of == measure);
        rate.map(|(_, rate)| *rate)
    }

    /// Whether the paper prints this rate at all.
    pub fn prints(&self, generator: &str, measure: Measure) -> bool {
        let mut keys = self.rows.iter().flat_map(|row| row.rates.keys());
        keys.any(|(name, of)| *name == generator && *of == measure)
    }

    /// The values for which the paper prints something about `dataset`, ascending.
    pub fn values(&self, dataset: &str) -> Vec<Option<f64>> {
        let rows = self.rows.iter().filter(|row| row.dataset == dataset);
        let mut values: Vec<Option<f64>> = rows.map(|row| row.at).collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        values
    }
}

fn key(column: &'static str) -> (&'static str, Measure) {
    match column.rsplit_once('_') {
        Some((generator, "pair" | "paired")) => (generator, Measure::Pair),
        Some((generator, "single" | "unpaired")) => (generator, Measure::Single),
        _ => (column, Measure::Single),
    }
}

/// Whether two values are equal but for the last bits, which differ if one was computed.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs(),
        (a, b) => a == b,
    }
}
