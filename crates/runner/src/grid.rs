//! The grid file: what is crossed with what. One file a table or figure, under `configs/`.
//!
//! Every field has its default written beside it or is required, unknown ones are refused, and what is read is already
//! checked: nothing after this module meets an empty list or a negative learning rate.

mod init;
pub mod key;
mod name;
mod normalization;
mod sweep;

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use models::{Model, train::Training};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonEmpty};
use spec::{Scale, yaml};

pub use init::{Init, Sha256};
pub use key::Key;
pub use name::Name;
pub use normalization::Normalization;
pub use sweep::Sweep;

/// A grid: every target, protected by every generator, changed by every attack, asked again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The folder of its tables and figures under the results folder.
    pub name: Name,
    /// What it shows, in a line.
    pub title: String,
    /// The table to make of its records; none if absent.
    #[serde(default)]
    pub table: Option<Table>,
    /// The seed of everything: initial weights, data order, starting points, attacks.
    #[serde(default)]
    pub seed: u64,
    /// The experiment's key. A real owner keeps theirs out of files that are shared: `BRINK_KEY` or `--key-file` take its
    /// place.
    #[serde(skip_serializing)]
    pub key: Key,
    /// The models to protect.
    pub targets: NonEmpty<Target>,
    /// What makes the sensitive samples.
    pub generators: NonEmpty<generators::Spec>,
    /// What changes the models; a list in a field stands for one attack an item.
    pub attacks: NonEmpty<Sweep>,
    /// Sample sets a generator makes for each target, each from its own starting points.
    #[serde(default = "one")]
    pub sample_sets: Count,
    /// Times that each attack is run, each with its own data order.
    #[serde(default = "five")]
    pub attack_seeds: Count,
    /// What is different at desk scale, each as `path=value`; `--set` comes after it.
    #[serde(default)]
    pub desk: Vec<String>,
}

/// A model to protect.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it classifies.
    pub dataset: data::Id,
    /// Its architecture.
    pub model: Model,
    /// Weights to begin with; fresh ones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// Input normalisation as a part of the network; none if absent, as in the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalization>,
    /// How it is trained. If absent, fresh weights are trained with the defaults, and weights from a file are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Training>,
    /// Measure accuracy on so many test images, class-balanced; on all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<Count>,
}

/// A table with its figure.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Detection after fine-tuning, by learning rate, in the layout of the paper's Table III.
    Table3,
}

impl Target {
    /// With nothing left to guess: fresh weights get a training.
    fn resolved(mut self) -> Self {
        if self.init.is_none() {
            self.train.get_or_insert_default();
        }
        self
    }

    /// The target in tables.
    pub fn title(&self) -> String {
        let model = self.model.architecture().title;
        format!("{}, {model}", self.dataset.info().title)
    }
}

fn one() -> Count {
    Count::literal(1)
}

fn five() -> Count {
    Count::literal(5)
}

impl Grid {
    /// Reads the file at `scale`, under `overrides` (each `path=value`).
    ///
    /// # Errors
    /// If the file cannot be read or anything in it or in an override is wrong; the message names the place and the fix.
    pub fn read(path: &Path, scale: Scale, overrides: &[String]) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("{name}: cannot be read"))?;
        let desk = match scale {
            Scale::Paper => Vec::new(),
            Scale::Desk => yaml::parse::<Self>(&name, &text)?.desk,
        };
        let all: Vec<&String> = desk.iter().chain(overrides).collect();
        let mut grid: Self =
            yaml::parse_with(&name, &text, &all).map_err(|error| match error.place() {
                yaml::Place::Argument(argument) if desk.contains(argument) => {
                    let hint = error.hint().map(|hint| format!("\n  = {hint}"));
                    let message = error.message();
                    anyhow!(
                        "{name}: desk: {argument}: {message}{}",
                        hint.unwrap_or_default()
                    )
                }
                _ => error.into(),
            })?;
        grid.targets = grid.targets.map(Target::resolved);
        Ok(grid)
    }

    /// All attacks, sweeps written out.
    pub fn attacks(&self) -> Vec<attacks::Spec> {
        self.attacks
            .iter()
            .flat_map(|sweep| sweep.0.iter().cloned())
            .collect()
    }
}
