//! `list`: everything a grid file may hold, with the default and the bounds of every field. It comes from the types that
//! read a grid file.

mod fields;

use anyhow::bail;
use brink_config::nearest;
use brink_config::registry::Entry;
use brink_config::yaml;
use brink_models::train::Training;
use serde_json::{Value, json};

use crate::exit::Refuse;
use crate::grid::{Grid, READING, Target};
use crate::say::say;
use crate::terminal::{self, heading};
use fields::Section;

/// Prints all of it, or only `name` with an example.
///
/// # Errors
/// If nothing has this name.
pub fn run(name: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    match (name, as_json) {
        (None, false) => print_all(),
        (None, true) => say!("{:#}", everything()),
        (Some(name), _) => {
            let thing = Thing::named(name).or_refuse()?;
            match as_json {
                false => thing.print(),
                true => say!("{:#}", thing.json()),
            }
        }
    }
    Ok(())
}

fn print_all() {
    let part = |title: &str| say!("\n{}", heading().apply_to(title));
    say!("{}", heading().apply_to("grid files"));
    grid_fields().print(2);
    for (name, holds) in READING {
        tell(&format!("  {name}: not set  # {holds}"));
    }
    part("targets (the field `targets` of a grid)");
    target_fields().print(2);
    part("models");
    for model in brink_models::REGISTRY {
        tell(&format!("  {}: {}", model.name, model.summary));
    }
    tell(
        "  {onnx: FILE}: the network in an ONNX file, which is asked and modified but not trained",
    );
    part("training (the field `train` of a target)");
    training_fields().print(2);
    for (field, registry) in REGISTRIES {
        part(field);
        for entry in registry {
            tell(&format!("  {}: {}", entry.name, entry.summary));
            of_entry(entry).print(6);
        }
    }
    part("reports");
    for report in brink_report::REPORTS {
        tell(&format!("  {}: {}", report.name, report.title));
    }
    say!("");
    tell(
        "`runner list NAME` shows one of them, with an example; `runner data list` has the data sets.",
    );
}

/// Prints a line, in several where the terminal is narrow.
fn tell(line: &str) {
    say!("{}", terminal::wrap(line));
}

/// All of it as JSON.
fn everything() -> Value {
    let named = |name: &str, summary: &str| json!({"name": name, "summary": summary});
    let models = brink_models::REGISTRY.iter();
    let models = models.map(|model| named(model.name, model.summary));
    let reports = brink_report::REPORTS.iter();
    let reports = reports.map(|report| named(report.name, report.title));
    let mut all = json!({
        "grid": grid_fields().json(),
        "targets": target_fields().json(),
        "models": models.collect::<Vec<_>>(),
        "training": training_fields().json(),
        "reports": reports.collect::<Vec<_>>(),
    });
    for (field, registry) in REGISTRIES {
        let entries = registry
            .iter()
            .map(|entry| Thing::Entry(field, entry).json());
        all[field] = entries.collect();
    }
    all
}

/// The entries with settings, by their field in a grid.
static REGISTRIES: [(&str, &[Entry]); 3] = [
    ("generators", brink_generators::REGISTRY),
    ("attacks", brink_attacks::REGISTRY),
    ("probes", brink_generators::probe::REGISTRY),
];

/// Something that a grid names.
enum Thing {
    /// An entry of the field of a grid.
    Entry(&'static str, &'static Entry),
    Model(&'static str, &'static str),
    Report(&'static brink_report::Entry),
    Dataset(&'static brink_data::Info),
}

impl Thing {
    fn named(name: &str) -> anyhow::Result<Self> {
        let all = Self::all();
        let names: Vec<&str> = all.iter().map(Self::name).collect();
        let hint = nearest::hint(name, &names);
        match all.into_iter().find(|thing| thing.name() == name) {
            Some(thing) => Ok(thing),
            None => bail!("`{name}` is no name in a grid; {hint}"),
        }
    }

    fn all() -> Vec<Self> {
        let entries = REGISTRIES.iter().flat_map(|(field, registry)| {
            registry.iter().map(move |entry| Self::Entry(field, entry))
        });
        let models = brink_models::REGISTRY.iter();
        let models = models.map(|model| Self::Model(model.name, model.summary));
        let reports = brink_report::REPORTS.iter().map(Self::Report);
        let datasets = brink_data::REGISTRY.iter().map(Self::Dataset);
        entries
            .chain(models)
            .chain(reports)
            .chain(datasets)
            .collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Entry(_, entry) => entry.name,
            Self::Model(name, _) => name,
            Self::Report(report) => report.name,
            Self::Dataset(info) => info.name,
        }
    }

    fn summary(&self) -> &'static str {
        match self {
            Self::Entry(_, entry) => entry.summary,
            Self::Model(_, summary) => summary,
            Self::Report(report) => report.title,
            Self::Dataset(info) => info.title,
        }
    }

    /// Prints what it is, as a comment, and an example. So all of it can be pasted into a grid.
    fn print(&self) {
        say!("# {}: {}", self.name(), self.summary());
        let name = self.name();
        match self {
            Self::Entry(field, entry) => {
                say!("{field}:\n  - {name}:");
                of_entry(entry).print_as_yaml(6);
            }
            Self::Model(..) => say!("targets:\n  - dataset: fashion-mnist\n    model: {name}"),
            Self::Dataset(_) => say!("targets:\n  - dataset: {name}\n    model: resnet18"),
            Self::Report(_) => say!("reports: [{name}]"),
        }
    }

    fn json(&self) -> Value {
        let mut thing = json!({"name": self.name(), "summary": self.summary()});
        if let Self::Entry(_, entry) = self {
            thing["fields"] = of_entry(entry).json();
        }
        thing
    }
}

fn of_entry(entry: &Entry) -> fields::Fields {
    Section(entry.shape, &[]).fields(&(entry.defaults)())
}

fn grid_fields() -> fields::Fields {
    Section::of::<Grid>(ELSEWHERE).fields(&grid())
}

fn target_fields() -> fields::Fields {
    let target = json!({"dataset": REQUIRED, "init": {"weights": REQUIRED}});
    Section::of::<Target>(ELSEWHERE).fields(&target)
}

fn training_fields() -> fields::Fields {
    let mut training = json!(Training::default());
    // This field is newer than the ids, so it is not serialized where it has its default.
    training["optimizer"] = json!(Training::default().optimizer);
    Section::of::<Training>(&[]).fields(&training)
}

/// Stands for the default of a field that has none.
const REQUIRED: &str = "required";

/// The defaults of a grid, read from the smallest grid.
fn grid() -> Value {
    let least = "{name: a, title: a, key: {passphrase: a}, targets: {a: {dataset: fashion-mnist, model: resnet18}}, slice: {attack: identity}}";
    let mut grid = yaml::parse::<Grid>("least", least)
        .ok()
        .map_or(Value::Null, |grid| json!(grid));
    for name in ["name", "title", "key"] {
        grid[name] = json!(REQUIRED);
    }
    grid
}

/// The fields of a grid and its targets that have their own sections.
const ELSEWHERE: &[&str] = &[
    "targets",
    "generators",
    "attacks",
    "attack",
    "probes",
    "reports",
    "model",
    "train",
];
