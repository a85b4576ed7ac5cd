//! `list`: what a grid file may say, with every field, its default and what it may hold, out of the types that read it.

use models::train::Training;
use serde_json::{Value, json};
use spec::plain;
use spec::registry::Entry;
use spec::schema::{Shape, shape};
use spec::yaml;

use crate::grid::{Grid, Target};
use crate::say::say;

/// Prints all of it.
pub fn print() {
    say!("grid files");
    Section(shape::<Grid>, ELSEWHERE).fields(&grid(), &mut Vec::new(), 2);
    say!("\ntargets (the field `targets` of a grid)");
    let target = json!({"dataset": REQUIRED, "init": {"weights": REQUIRED}});
    Section(shape::<Target>, ELSEWHERE).fields(&target, &mut Vec::new(), 2);
    say!("\nmodels");
    for model in models::REGISTRY {
        say!("  {}: {}", model.name, model.summary);
    }
    say!("\ntraining (the field `train` of a target)");
    let mut training = json!(Training::default());
    // Identifiers are older than this field: they leave it out where it is the default.
    training["optimizer"] = json!(Training::default().optimizer);
    Section(shape::<Training>, &[]).fields(&training, &mut Vec::new(), 2);
    say!("\ngenerators");
    entries(generators::REGISTRY);
    say!("\nattacks");
    entries(attacks::REGISTRY);
    say!("\nprobes");
    entries(generators::probe::REGISTRY);
    say!("\nreports");
    for report in report::REPORTS {
        say!("  {}: {}", report.name, report.title);
    }
}

/// In the place of a default.
const REQUIRED: &str = "required";

/// The defaults of a grid: what one has that says as little as it can.
fn grid() -> Value {
    let least = "{name: a, title: a, key: {passphrase: a}, targets: [{dataset: fashion-mnist, model: resnet18}], slice: {attack: identity}}";
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

/// Fields of a grid and its targets that have sections of their own.
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

/// The fields of one type, by the shapes at its paths, and those of them that have sections of their own.
struct Section(fn(&[&'static str]) -> Shape, &'static [&'static str]);

impl Section {
    /// Fields as a grid file would have them with their defaults, and behind each what it may hold.
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

    /// In a line what `shape`, the one at `path`, may hold.
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

/// A default as a grid file would have it.
fn text(default: &Value) -> String {
    match default {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
