//! The grid file: what is crossed with what. One file a table or figure, under `configs/`.
//!
//! Every field has its default written beside it or is required, unknown ones are refused, and what is read is already
//! checked: nothing after this module meets an empty list or a negative learning rate.

mod init;
pub mod key;
mod name;
mod normalization;
mod presets;
mod targets;
mod text;

use std::path::Path;

use anyhow::bail;
use generators::probe;
use models::{Model, train::Training};
use report::Report;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use spec::checked::{Count, Minority, Positive, Repeats, Share, Side};
use spec::schema::{Shape, shape};
use spec::yaml::{self, Document, Fault, Node, Sweep, Value};
use spec::{Scale, nearest};

pub use init::{Head, Init, Sha256};
pub use key::Key;
pub use name::Name;
pub use normalization::Normalization;
pub use targets::Targets;

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

/// A grid file as it was read.
struct Source {
    name: String,
    scale: Scale,
    document: Document,
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

/// The field of the grid that a change, `path=value`, is about.
fn first_part(change: &str) -> &str {
    let (path, _) = change.split_once('=').unwrap_or((change, ""));
    path.split('.').next().unwrap_or_default().trim()
}

/// Refuses fields at the top that no grid has.
fn require_known_fields(root: &mut Node) -> Result<(), Fault> {
    let Value::Map(entries) = &root.value else {
        return Ok(());
    };
    let known = fields();
    match entries
        .iter()
        .find(|(name, _)| !known.contains(&name.text.as_str()))
    {
        Some((name, _)) => Err(name
            .fault(format!("unknown field `{}`", name.text))
            .hint(nearest::hint(&name.text, &known))),
        None => Ok(()),
    }
}

/// Takes the scale whose settings a grid holds out of it: one that is `chosen` must be the same.
fn held_scale(root: &mut Node, chosen: Option<Scale>) -> Result<Option<Scale>, Fault> {
    let Some(node) = root.take(SCALE) else {
        return Ok(None);
    };
    let held = match &node.value {
        Value::Text(name) => name
            .parse::<Scale>()
            .map_err(|error| node.fault(error.to_string()))?,
        other => return Err(node.fault(format!("{other} is not the name of a scale"))),
    };
    match chosen {
        Some(chosen) if chosen != held => Err(node
            .fault(format!(
                "this grid holds the settings of the scale `{held}`, not of `{chosen}`"
            ))
            .hint("leave --scale out, or choose the grid that this one was made of")),
        _ => Ok(Some(held)),
    }
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

/// The field of the scale whose settings a grid holds: `runner show` writes it.
const SCALE: &str = "scale";

/// Fields at the top that say how the others are read, and what each holds. They are no fields of [`Grid`].
pub const READING: [(&str, &str); 5] = [
    (
        yaml::INCLUDE,
        "files that this one is merged over, relative to its folder: a name or a list of names",
    ),
    (
        "presets",
        "{targets, generators, attacks, probes}: settings with which each entry of a name begins",
    ),
    (
        yaml::OVERLAYS[0],
        "what the scale `desk` changes; may stand in any mapping",
    ),
    (
        yaml::OVERLAYS[1],
        "{NAME: what the scale NAME changes}; may stand in any mapping",
    ),
    (
        SCALE,
        "the scale whose settings the file holds; `runner show` writes it",
    ),
];

/// All fields at the top of a grid file.
pub fn fields() -> Vec<&'static str> {
    let own = match shape::<Grid>(&[]) {
        Shape::Fields(names) => names,
        _ => &[],
    };
    own.iter()
        .copied()
        .chain(READING.map(|(name, _)| name))
        .collect()
}

impl Grid {
    /// Reads the file, and what it includes, at `scale`, under `overrides` (each `path=value`). If no scale is chosen it is the one whose
    /// settings the grid says it holds, or else the default.
    ///
    /// # Errors
    /// If a file cannot be read or anything in it or in an override is wrong; the message names the place and the fix.
    pub fn read(path: &Path, scale: Option<Scale>, overrides: &[String]) -> anyhow::Result<Self> {
        let mut document = Document::open(path, &text::read, key::veil())?;
        document.change(require_known_fields)?;
        let mut held = None;
        document.change(|root| {
            held = held_scale(root, scale)?;
            Ok(())
        })?;
        let scale = scale.or(held).unwrap_or_default();
        let scales = document.at_scale(scale)?;
        if ![Scale::DESK, Scale::PAPER].contains(&scale)
            && !scales.iter().any(|own| own == scale.name())
        {
            let mut known = vec![Scale::DESK.name(), Scale::PAPER.name()];
            known.extend(scales.iter().map(String::as_str));
            known.dedup();
            bail!(
                "{}: --scale {scale}: the grid has no such scale; {}",
                path.display(),
                nearest::hint(scale.name(), &known)
            );
        }
        document.change(targets::name)?;
        document.set(overrides)?;
        let lost = document.without_effect().len();
        document.change(presets::expand)?;
        if let Some(change) = document.without_effect().get(lost) {
            bail!(
                "{}: --set {}: this has no effect, as entries or targets have settings of their own; change those",
                path.display(),
                key::veil().argument(change)
            );
        }
        let mut grid: Self = document.read()?;
        grid.targets = grid.targets.map(Target::resolved);
        grid.source = Some(Source {
            name: path.display().to_string(),
            scale,
            document,
        });
        grid.require_effect_on_generators(overrides)?;
        Ok(grid)
    }

    /// Refuses a change of generators that no target takes.
    fn require_effect_on_generators(&self, changes: &[String]) -> anyhow::Result<()> {
        let of_generators = |change: &&String| first_part(change) == "generators";
        match changes.iter().find(of_generators) {
            Some(change)
                if self
                    .targets
                    .iter()
                    .all(|(_, target)| target.generators.is_some()) =>
            {
                bail!(
                    "{}: --set {}: this has no effect, as every target has `generators` of its own; change `targets.*.generators`",
                    self.name(),
                    key::without_secret(change)
                )
            }
            _ => Ok(()),
        }
    }

    /// The grid's name for messages: its path.
    pub fn name(&self) -> &str {
        self.source.as_ref().map_or("", |source| &source.name)
    }

    /// The scale at which it was read.
    pub fn scale(&self) -> Scale {
        self.source
            .as_ref()
            .map(|source| source.scale)
            .unwrap_or_default()
    }

    /// Where `path`, e.g. `targets.cifar10-resnet18`, stands: file, line and path. No line if an override put it there.
    pub fn place(&self, path: &str) -> String {
        let source = self.source.as_ref();
        match source.and_then(|source| source.document.line(path)) {
            Some((file, line)) => format!("{file}:{line}: {path}"),
            None => format!("{}: {path}", self.name()),
        }
    }

    /// The grid as YAML that says the same without presets, overlays and other files, with the origin of each value if wanted.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let source = self.source.as_ref();
        source.map_or_else(String::new, |source| {
            format!(
                "{SCALE}: {}\n{}",
                source.scale,
                source.document.to_yaml(with_origins)
            )
        })
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
