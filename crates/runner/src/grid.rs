//! The grid file: what is crossed with what. One file a table or figure, under `configs/`.
//!
//! Every field has its default written beside it or is required, unknown ones are refused, and what is read is already
//! checked: nothing after this module meets an empty list or a negative learning rate.

mod init;
pub mod key;
mod name;
mod normalization;
mod presets;
mod source;
mod targets;
mod text;

use generators::probe;
use models::{Model, train::Training};
use report::Report;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use spec::Scale;
use spec::checked::{Count, Minority, Positive, Repeats, Share, Side};
use spec::yaml::Sweep;

pub use init::{Head, Init, Sha256};
pub use key::Key;
pub use name::Name;
pub use normalization::Normalization;
pub use source::READING;
pub use targets::Targets;

use source::Source;

/// A grid: every target, protected by every generator, changed by every attack, asked again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The folder of its tables and figures under the results folder.
    pub name: Name,
    /// What it shows, in a line.
    pub title: String,
    /// The tables and figures to make of its records.
    #[serde(default, deserialize_with = "distinct")]
    pub reports: Vec<Report>,
    /// The seed of everything: initial weights, data order, starting points, attacks.
    #[serde(default)]
    pub seed: u64,
    /// The experiment's key. A real owner keeps theirs out of files that are shared: `BRINK_KEY` or `--key-file` take its
    /// place.
    #[serde(skip_serializing)]
    pub key: Key,
    /// The least share of noise images that the keyed head must give each of its two labels: of the heads of the key the first that does
    /// is taken. If absent the first of all, as the paper says nothing of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_balance: Option<Minority>,
    /// The models to protect.
    pub targets: Targets,
    /// What makes the sensitive samples.
    #[serde(default)]
    pub generators: Vec<generators::Spec>,
    /// What changes the models; a list in a field stands for one attack an item.
    #[serde(default)]
    pub attacks: Vec<Sweep<attacks::Spec>>,
    /// What is measured about the models themselves; a list in a field stands for one measurement an item.
    #[serde(default)]
    pub probes: Vec<Sweep<probe::Spec>>,
    /// The boundary around a pair to draw, before and after an attack; of targets that have a generator of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// Sample sets a generator makes for each target, each from its own starting points.
    #[serde(default = "one")]
    pub sample_sets: Repeats,
    /// Times that each attack is run, each with its own data order.
    #[serde(default = "five")]
    pub attack_seeds: Repeats,
    /// Where it was read from.
    #[serde(skip)]
    source: Option<Source>,
}

/// A model to protect.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it classifies.
    pub dataset: data::Id,
    /// Its architecture.
    pub model: Model,
    /// The share of the architecture's channels that it has, all layers kept; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<Share>,
    /// Weights to begin with; fresh ones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// Input normalisation as a part of the network; none if absent, as in the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalization>,
    /// How it is trained. If absent, fresh weights are trained with the defaults, and weights from a file are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Training>,
    /// What makes its sensitive samples, instead of the grid's generators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<Vec<generators::Spec>>,
    /// Measure accuracy on so many test images, class-balanced; on all if absent. It is part of what the target is, and of the name that its
    /// keyed head is drawn by: with another number everything of the target is computed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<Count>,
}

/// The margin on a plane through a pair: the paper's figure 1.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// What happens to the model.
    pub attack: attacks::Spec,
    /// Points a side.
    #[serde(default = "forty_one")]
    pub side: Side,
    /// From the middle to the rim, in distances between the two members.
    #[serde(default = "four")]
    pub reach: Positive,
}

impl Target {
    /// With nothing left to guess: fresh weights, a classifier's among them, get a training.
    fn resolved(mut self) -> Self {
        if self.init.as_ref().is_none_or(|init| init.head.is_some()) {
            self.train.get_or_insert_default();
        }
        self
    }

    /// What the model is, without where its file lies and what is made for it.
    pub fn itself(&self) -> Self {
        Self {
            init: None,
            generators: None,
            ..self.clone()
        }
    }

    /// About how many images it is trained on, of those that its data set has.
    pub fn train_images(&self) -> usize {
        let all = self.dataset.info().train;
        self.train.as_ref().map_or(all, |train| train.count(all))
    }

    /// The network, as wide as it is.
    pub fn network(&self) -> Model {
        match self.width {
            Some(width) => self.model.with_width(width.get()),
            None => self.model,
        }
    }

    /// The target in tables.
    pub fn title(&self) -> String {
        let model = self.model.architecture().title;
        let width = match self.width {
            Some(width) => format!(" (width {width})"),
            None => String::new(),
        };
        format!("{}, {model}{width}", self.dataset.info().title)
    }
}

/// Reports, each once: a second one would be written over the first.
fn distinct<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Report>, D::Error> {
    let reports = Vec::<Report>::deserialize(deserializer)?;
    for (nth, report) in reports.iter().enumerate() {
        if reports[..nth].contains(report) {
            let problem = format!("`{report}` is there twice; delete one");
            return Err(Error::custom(problem));
        }
    }
    Ok(reports)
}

/// What some entries stand for, in their order.
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
    /// The grid's name for messages: its path.
    pub fn name(&self) -> &str {
        self.source.as_ref().map_or("", Source::name)
    }

    /// The scale at which it was read.
    pub fn scale(&self) -> Scale {
        self.source.as_ref().map(Source::scale).unwrap_or_default()
    }

    /// Where `path`, e.g. `targets.cifar10-resnet18`, stands: file, line and path. No line if an override put it there.
    pub fn place(&self, path: &str) -> String {
        match self.source.as_ref().and_then(|source| source.line(path)) {
            Some((file, line)) => format!("{file}:{line}: {path}"),
            None => format!("{}: {path}", self.name()),
        }
    }

    /// The grid as YAML that says the same without presets, overlays and other files, with the origin of each value if wanted.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let source = self.source.as_ref();
        source.map_or_else(String::new, |source| source.to_yaml(with_origins))
    }

    /// All attacks, sweeps written out.
    pub fn attacks(&self) -> Vec<attacks::Spec> {
        each(&self.attacks)
    }

    /// All probes, sweeps written out.
    pub fn probes(&self) -> Vec<probe::Spec> {
        each(&self.probes)
    }
}
