//! `list`: what a grid file may say, with every field and its default, out of the registries that run it.

use models::train::Training;
use serde_json::{Value, json};
use spec::registry::{self, Entry};

use crate::grid::{Grid, Target};
use crate::plan::plain;
use crate::say::say;

/// Prints all of it.
pub fn print() {
    say!("grid files");
    say!("  {}", registry::fields::<Grid>().join(", "));
    say!("\ntargets (the field `targets` of a grid)");
    say!("  {}", registry::fields::<Target>().join(", "));
    say!("\nmodels");
    for model in models::REGISTRY {
        say!("  {}: {}", model.name, model.summary);
    }
    say!("\ntraining (the field `train` of a target)");
    let mut training = json!(Training::default());
    // Identifiers are older than this field: they leave it out where it is the default.
    training["optimizer"] = json!(Training::default().optimizer);
    fields(&training, registry::fields::<Training>(), 2);
    say!("\ngenerators");
    entries(generators::REGISTRY);
    say!("\nattacks");
    entries(attacks::REGISTRY);
    say!("\nprobes");
    entries(generators::probe::REGISTRY);
    say!("\nreports");
    for report in report::Report::all() {
        say!("  {}: {}", report.name(), report.title());
    }
}

fn entries(registry: &[Entry]) {
    for entry in registry {
        say!("  {}: {}", entry.name, entry.summary);
        fields(&(entry.defaults)(), (entry.fields)(), 6);
    }
}

/// Fields with their defaults, as a grid file would have them; behind them those of `names` that have none.
fn fields(defaults: &Value, names: &[&str], indent: usize) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        let text = match value {
            Value::Object(_) => {
                say!("{:indent$}{name}:", "");
                fields(value, &[], indent + 2);
                continue;
            }
            Value::String(text) => text.clone(),
            Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
            other => other.to_string(),
        };
        say!("{:indent$}{name}: {text}", "");
    }
    for name in names.iter().filter(|&name| defaults.get(name).is_none()) {
        say!("{:indent$}{name}: not set", "");
    }
}
