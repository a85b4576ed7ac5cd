//! The paper's printed numbers (Gao et al., ICME 2024, arXiv 2404.07572), and beside which of our rows they may stand.

use std::collections::BTreeMap;

use store::TargetRecord;

/// One setting of the paper's experiments (section IV-A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Data set, as in the `dataset` column.
    pub dataset: &'static str,
    /// Data set for people.
    pub title: &'static str,
    /// Network.
    pub network: &'static str,
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
        network: "ResNet18",
        top1: "91.26",
    },
    Setting {
        dataset: "gtsrb",
        title: "GTSRB",
        network: "VGG16",
        top1: "96.70",
    },
    Setting {
        dataset: "flowers102",
        title: "Flowers-102",
        network: "ResNet152",
        top1: "98.41",
    },
];

impl Setting {
    /// Whether the network of `target` is this one, with all its channels.
    pub fn has_the_network_of(&self, target: &TargetRecord) -> bool {
        target.model.eq_ignore_ascii_case(self.network) && target.spec["width"].is_null()
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.title, self.network)
    }
}

/// How close a target of ours is to a setting of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// The same data set and network: numbers may be compared.
    Same(&'static Setting),
    /// A variant of the data set, or another network: numbers may stand beside each other if the difference is named.
    Akin(&'static Setting),
    /// Another data set: the paper's numbers are for orientation only.
    Foreign(&'static Setting),
}

impl Kinship {
    /// How close `target` is to the paper.
    pub fn of(target: &TargetRecord) -> Self {
        let family = |setting: &&Setting| {
            let variant = target.dataset.strip_prefix(setting.dataset);
            variant.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        match SETTINGS.iter().find(family) {
            Some(setting)
                if target.dataset == setting.dataset && setting.has_the_network_of(target) =>
            {
                Self::Same(setting)
            }
            Some(setting) => Self::Akin(setting),
            None => Self::Foreign(&SETTINGS[0]),
        }
    }

    /// The setting whose numbers may stand beside the target's, if any.
    pub fn beside(self) -> Option<&'static Setting> {
        match self {
            Self::Same(setting) | Self::Akin(setting) => Some(setting),
            Self::Foreign(_) => None,
        }
    }

    /// The closest setting, comparable or not.
    pub fn setting(self) -> &'static Setting {
        match self {
            Self::Same(setting) | Self::Akin(setting) | Self::Foreign(setting) => setting,
        }
    }
}

/// Which of the two rates of a generator.
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
        Self::of(include_str!("../../../experiments/table2/paper.csv"), None)
    }

    /// Table III, by learning rate.
    pub fn table3() -> Self {
        Self::of(
            include_str!("../../../experiments/table3/paper.csv"),
            Some("lr"),
        )
    }

    /// Table IV, which is all of 8 bits.
    pub fn table4() -> Self {
        let mut paper = Self::of(include_str!("../../../experiments/table4/paper.csv"), None);
        for row in &mut paper.rows {
            row.at = Some(8.0);
        }
        paper
    }

    /// Of a file with the columns `dataset`, `axis` if there is one, then `<generator>_<measure>` in % (a column without a measure holds the
    /// single rate). Empty fields were not printed.
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

/// Learning rates are written in decimal, here and there; the last bit may differ.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs(),
        (a, b) => a == b,
    }
}
