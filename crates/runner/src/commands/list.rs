//! `list`: everything a grid file may hold, with the default and the bounds of every field. It comes from the types that
//! read a grid file.

use brink_config::plain;
use brink_config::registry::Entry;
use brink_config::schema::{Shape, shape};
use brink_config::yaml;
use brink_models::train::Training;
use serde_json::{Value, json};

use crate::grid::{Grid, READING, Target};
use crate::say::say;

/// Prints all of it.
pub fn print() {
    say!("grid files");
    Section(shape::<Grid>, ELSEWHERE).fields(&grid(), &mut Vec::new(), 2);
    for (name, holds) in READING {
        say!("  {name}: not set  # {holds}");
    }
    say!("\ntargets (the field `targets` of a grid)");
    let target = json!({"dataset": REQUIRED, "init": {"weights": REQUIRED}});
    Section(shape::<Target>, ELSEWHERE).fields(&target, &mut Vec::new(), 2);
    say!("\nmodels");
    for model in brink_models::REGISTRY {
        say!("  {}: {}", model.name, model.summary);
    }
    say!("\ntraining (the field `train` of a target)");
    let mut training = json!(Training::default());
    // This field is newer than the ids, so it is not serialized where it has its default.
    training["optimizer"] = json!(Training::default().optimizer);
    Section(shape::<Training>, &[]).fields(&training, &mut Vec::new(), 2);
    say!("\ngenerators");
    entries(brink_generators::REGISTRY);
    say!("\nattacks");
    entries(brink_attacks::REGISTRY);
    say!("\nprobes");
    entries(brink_generators::probe::REGISTRY);
    say!("\nreports");
    for report in brink_report::REPORTS {
        say!("  {}: {}", report.name, report.title);
    }
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

fn entries(registry: &[Entry]) {
    for entry in registry {
        say!("  {}: {}", entry.name, entry.summary);
        Section(entry.shape, &[]).fields(&(entry.defaults)(), &mut Vec::new(), 6);
    }
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

/// The shapes of one type by path, and the fields that have their own sections.
struct Section(fn(&[&'static str]) -> Shape, &'static [&'static str]);

impl Section {
    /// Prints the fields at `path` as in a grid file, each with its default and what it may hold.
    fn fields(&self, defaults: &Value, path: &mut Vec<&'static str>, indent: usize) {
        let Shape::Fields(names) = (self.0)(path) else {
            return;
        };
        for name in names {
            path.push(name);
            let default = &defaults[*name];
            match (self.0)(path) {
                _ if self.1.contains(name) => say!("{:indent$}{name}: as below", ""),
                Shape::Fields(_) => {
                    say!("{:indent$}{name}:", "");
                    self.fields(default, path, indent + 2);
                }
                shape => {
                    let default = text(default);
                    let holds = self.holds(shape, path);
                    say!("{:indent$}{name}: {default}  # {holds}", "");
                }
            }
            path.pop();
        }
    }

    /// Describes in one line what `shape`, the shape at `path`, may hold.
    fn holds(&self, shape: Shape, path: &mut Vec<&'static str>) -> String {
        match shape {
            Shape::Nothing => "nothing".to_owned(),
            Shape::Value(words) => words,
            Shape::Fields(names) => format!("{{{}}}", names.join(", ")),
            Shape::OneOf(names) => {
                let choices = names.iter().map(|name| {
                    path.push(name);
                    let content = (self.0)(path);
                    let choice = match content {
                        Shape::Nothing => (*name).to_owned(),
                        content => format!("{name}: {}", self.holds(content, path)),
                    };
                    path.pop();
                    choice
                });
                choices.collect::<Vec<_>>().join(" | ")
            }
        }
    }
}

/// A default as in a grid file.
fn text(default: &Value) -> String {
    match default {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
