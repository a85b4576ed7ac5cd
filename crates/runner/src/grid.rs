//! The grid file. The folder `configs` has one grid per table or figure.
//!
//! A field is required, or its default is written here. Unknown fields are refused. All values are checked when they are
//! read, so no later code has to handle an empty list or a negative learning rate.

mod fields;
mod image_set;
mod init;
pub mod key;
mod name;
mod network;
mod normalization;
mod presets;
mod source;
mod targets;
mod text;

use std::fmt::Display;

use anyhow::anyhow;
use brink_config::Scale;
use brink_config::checked::{Count, Minority, Positive, Repeats, Share, Side};
use brink_config::yaml::Sweep;
use brink_generators::probe;
use brink_models::{Model, train::Training};
use brink_report::Report;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

pub use fields::READING;
pub use image_set::ImageSet;
pub use init::{Head, Init, Sha256};
pub use key::Key;
pub use name::Name;
pub use network::Network;
pub use normalization::Normalization;
pub use targets::Targets;

use source::Source;

/// A grid: every target with sample sets of every generator, tested after every attack.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The folder of its tables and figures, inside the results folder.
    pub name: Name,
    /// Its title, in one line.
    pub title: String,
    /// The tables and figures to make from its records.
    #[serde(default, deserialize_with = "distinct")]
    pub reports: Vec<Report>,
    /// The seed of everything: initial weights, data order, starting points, attacks.
    #[serde(default)]
    pub seed: u64,
    /// The key of the experiment. A real owner keeps the key out of shared files, and uses `BRINK_KEY` or `--key-file`,
    /// which replace this key.
    #[serde(skip_serializing)]
    pub key: Key,
    /// The least share of noise images for each of the two labels of the keyed head. The first head of the key that
    /// reaches it is taken. If absent, the first head is taken, because the paper mentions no choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_balance: Option<Minority>,
    /// The models to protect.
    pub targets: Targets,
    /// The generators of sensitive samples.
    #[serde(default)]
    pub generators: Vec<brink_generators::Spec>,
    /// The attacks on the models. A list in a field stands for one attack per item.
    #[serde(default)]
    pub attacks: Vec<Sweep<brink_attacks::Spec>>,
    /// The measurements of the models themselves. A list in a field stands for one probe per item.
    #[serde(default)]
    pub probes: Vec<Sweep<probe::Spec>>,
    /// The boundary around a pair, before and after an attack, for each target with a generator of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The number of sample sets of each generator for each target. Each set has its own starting points.
    #[serde(default = "one")]
    pub sample_sets: Repeats,
    /// The number of times that each random attack is run. Each time has its own data order.
    #[serde(default = "five")]
    pub attack_seeds: Repeats,
    /// The files that it was read from.
    #[serde(skip)]
    source: Option<Source>,
}

/// A model to protect.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its data set. A relative path is looked up as that of weights.
    pub dataset: ImageSet,
    /// Its architecture, or a file that holds one.
    pub model: Network,
    /// The share of the architecture's channels that it has. All layers are kept. If absent, it has all channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<Share>,
    /// The initial weights. If absent, they are drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// Input normalisation as part of the network. None if absent, as in the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalization>,
    /// Its training. If absent, random weights are trained with the defaults, and weights from a file are not trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Training>,
    /// The generators of its sensitive samples, instead of those of the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<Vec<brink_generators::Spec>>,
    /// The number of test images that accuracy is measured on, class-balanced. If absent, all. It is part of the id of
    /// the target, and the id selects the keyed head. So with another number, all steps of the target are new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<Count>,
}

/// The margin on a plane through a pair: the paper's figure 1.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The attack on the model.
    pub attack: brink_attacks::Spec,
    /// The number of points per side.
    #[serde(default = "forty_one")]
    pub side: Side,
    /// The distance from the middle to the rim, in multiples of the distance between the two members.
    #[serde(default = "four")]
    pub reach: Positive,
}

impl Target {
    /// The target with its default training: if any weights are random, also only those of the classifier.
    fn resolved(mut self) -> Self {
        let drawn = self.model.file().is_none();
        if drawn && self.init.as_ref().is_none_or(|init| init.head.is_some()) {
            self.train.get_or_insert_default();
        }
        self
    }

    /// The settings that define the model itself, without the paths of its files and its generators.
    pub fn itself(&self) -> Self {
        let dataset = match self.dataset.clone() {
            ImageSet::Own(own) => ImageSet::Own(own.without_path()),
            registered => registered,
        };
        Self {
            dataset,
            model: self.model.without_path(),
            init: None,
            generators: None,
            ..self.clone()
        }
    }

    /// The approximate number of its training images, of `all` that its data set has.
    pub fn train_images(&self, all: usize) -> usize {
        self.train.as_ref().map_or(all, |train| train.count(all))
    }

    /// `model` with the target's width.
    pub fn as_wide(&self, model: Model) -> Model {
        match self.width {
            Some(width) => model.with_width(width.get()),
            None => model,
        }
    }

    /// The title of the target in tables. `dataset` and `model` are the titles of its data set and its network.
    pub fn title(&self, dataset: &str, model: &str) -> String {
        let width = match self.width {
            Some(width) => format!(" (width {width})"),
            None => String::new(),
        };
        format!("{dataset}, {model}{width}")
    }
}

/// Reads a list of distinct reports. A second one of a kind would overwrite the first.
fn distinct<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Report>, D::Error> {
    let reports = Vec::<Report>::deserialize(deserializer)?;
    for (nth, report) in reports.iter().enumerate() {
        if reports[..nth].contains(report) {
            let problem = format!("`{report}` is in the list twice; delete one");
            return Err(Error::custom(problem));
        }
    }
    Ok(reports)
}

/// All entries of some sweeps, in order.
fn each<S: Clone>(sweeps: &[Sweep<S>]) -> Vec<S> {
    sweeps.iter().flat_map(Sweep::each).cloned().collect()
}

fn forty_one() -> Side {
    Side::literal(41)
}

fn four() -> Positive {
    Positive::literal(4.0)
}

fn one() -> Repeats {
    Repeats::literal(1)
}

fn five() -> Repeats {
    Repeats::literal(5)
}

impl Grid {
    /// The name of the grid in messages, which is its path.
    pub fn name(&self) -> &str {
        self.source.as_ref().map_or("", Source::name)
    }

    /// The scale at which it was read.
    pub fn scale(&self) -> Scale {
        self.source.as_ref().map(Source::scale).unwrap_or_default()
    }

    /// An error about the value at `path`, e.g. `targets.cifar10-resnet18.width`. It shows the line of the value.
    pub fn error(&self, path: &str, problem: impl Display) -> anyhow::Error {
        let message = format!("{path}: {problem}");
        match &self.source {
            Some(source) => source.error(path, message).into(),
            None => anyhow!(message),
        }
    }

    /// The grid as YAML, without presets, overlays and includes. With `with_origins`, a comment shows where each value
    /// comes from.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let source = self.source.as_ref();
        source.map_or_else(String::new, |source| source.to_yaml(with_origins))
    }

    /// All attacks, one per entry of a sweep.
    pub fn attacks(&self) -> Vec<brink_attacks::Spec> {
        each(&self.attacks)
    }

    /// All probes, one per entry of a sweep.
    pub fn probes(&self) -> Vec<probe::Spec> {
        each(&self.probes)
    }
}
