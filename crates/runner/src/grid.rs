//! The grid file: what is crossed with what. One file a table or figure, under `configs/`.
//!
//! Every field has its default written beside it or is required, unknown ones are refused, and what is read is already
//! checked: nothing after this module meets an empty list or a negative learning rate.

mod init;
pub mod key;
mod name;
mod normalization;
mod text;

use std::path::Path;

use anyhow::{Context, anyhow};
use generators::probe;
use models::{Model, train::Training};
use report::Report;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use spec::checked::{Count, Minority, NonEmpty, Positive, Repeats, Share, Side};
use spec::{
    Scale,
    yaml::{Document, Place, Sweep},
};

pub use init::{Head, Init, Sha256};
pub use key::Key;
pub use name::Name;
pub use normalization::Normalization;

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
    pub targets: NonEmpty<Target>,
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
    /// What is different at desk scale, each as `path=value`; `--set` comes after it.
    #[serde(default)]
    pub desk: Vec<String>,
    /// Where it was read from.
    #[serde(skip)]
    source: Option<Source>,
}

/// A grid file, and what was changed of it.
struct Source {
    name: String,
    document: Document,
    /// Each `path=value`.
    changes: Vec<String>,
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

/// What of a grid file says how to read the rest of it.
#[derive(Deserialize)]
struct Desk {
    #[serde(default)]
    desk: Vec<String>,
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

/// The field of the grid that a change, `path=value`, is about.
fn first_part(change: &str) -> &str {
    let (path, _) = change.split_once('=').unwrap_or((change, ""));
    path.split('.').next().unwrap_or_default().trim()
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
    /// Reads the file at `scale`, under `overrides` (each `path=value`).
    ///
    /// # Errors
    /// If the file cannot be read or anything in it or in an override is wrong; the message names the place and the fix.
    pub fn read(path: &Path, scale: Scale, overrides: &[String]) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = text::read(path).with_context(|| format!("{name}: cannot be read"))?;
        let document = Document::parse(name.as_str(), text, key::veil())?;
        let desk = match scale {
            Scale::Paper => Vec::new(),
            Scale::Desk => document.read::<Desk>(&[] as &[&str])?.desk,
        };
        // Those of the desk come first.
        let place = |nth: usize, shown: &str| {
            if nth >= desk.len() {
                return format!("--set {shown}");
            }
            let line = document.line(&format!("desk.{nth}"));
            let line = line.map_or_else(String::new, |line| format!(":{line}"));
            format!("{name}{line}: desk: {shown}")
        };
        let all: Vec<&String> = desk.iter().chain(overrides).collect();
        if let Some(nth) = all.iter().position(|change| first_part(change) == "desk") {
            let otherwise = match scale {
                Scale::Desk => ", or choose --scale paper",
                Scale::Paper => "",
            };
            return Err(anyhow!(
                "{}: `desk` is read before anything is changed, so this would have no effect; change the field that is meant{otherwise}",
                place(nth, &key::veil().argument(all[nth]))
            ));
        }
        let mut grid: Self = document.read(&all).map_err(|error| match error.place() {
            Place::Argument { index, shown } => {
                let hint = error.hint().map(|hint| format!("\n  = {hint}"));
                let message = error.message();
                anyhow!(
                    "{}: {message}{}",
                    place(*index, shown),
                    hint.unwrap_or_default()
                )
            }
            _ => error.into(),
        })?;
        grid.source = Some(Source {
            changes: all.into_iter().cloned().collect(),
            name,
            document,
        });
        grid.targets = grid.targets.map(Target::resolved);
        grid.heeds_changes_of_generators()?;
        // What is left of it is shown.
        grid.desk = grid
            .desk
            .iter()
            .map(|item| key::without_secret(item))
            .collect();
        Ok(grid)
    }

    /// Refuses a change of generators that no target takes.
    fn heeds_changes_of_generators(&self) -> anyhow::Result<()> {
        let changes = self.source.iter().flat_map(|source| &source.changes);
        let of_generators = |change: &&String| first_part(change) == "generators";
        match changes.into_iter().find(of_generators) {
            Some(change)
                if self
                    .targets
                    .iter()
                    .all(|target| target.generators.is_some()) =>
            {
                Err(anyhow!(
                    "{}: {}: every target has `generators` of its own, so this would have no effect; change `targets.*.generators`",
                    self.name(),
                    key::without_secret(change)
                ))
            }
            _ => Ok(()),
        }
    }

    /// The grid's name for messages: its path.
    pub fn name(&self) -> &str {
        self.source.as_ref().map_or("", |source| &source.name)
    }

    /// Where `path`, e.g. `targets.3`, stands: file, line and path. No line if it, or a part of it, was changed.
    pub fn place(&self, path: &str) -> String {
        let name = self.name();
        let touches = |change: &String| {
            let changed = change.split_once('=').map_or("", |(path, _)| path);
            let mut parts = changed.split('.').map(str::trim).zip(path.split('.'));
            parts.all(|(changed, own)| changed == "*" || changed == own)
        };
        let source = self.source.as_ref();
        let untouched = source.filter(|source| !source.changes.iter().any(touches));
        match untouched.and_then(|source| source.document.line(path)) {
            Some(line) => format!("{name}:{line}: {path}"),
            None => format!("{name}: {path}"),
        }
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
