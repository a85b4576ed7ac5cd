//! `list`: models, generators, attacks, probes and reports with their fields and defaults, out of the registries that run them.

use models::train::Training;
use serde_json::Value;

use crate::plan::plain;
use crate::say::say;

/// Prints all of it.
pub fn print() {
    say!("models");
    for model in models::REGISTRY {
        say!("  {}: {}", model.name, model.summary);
    }
    say!("\ntraining (the field `train` of a target)");
    fields(
        &serde_json::to_value(Training::default()).unwrap_or_default(),
        2,
    );
    say!("\ngenerators");
    for entry in generators::REGISTRY {
        say!("  {}: {}", entry.name, entry.summary);
        fields(&(entry.defaults)(), 6);
    }
    say!("\nattacks");
    for entry in attacks::REGISTRY {
        say!("  {}: {}", entry.name, entry.summary);
        fields(&(entry.defaults)(), 6);
    }
    say!("\nprobes");
    for entry in generators::probe::REGISTRY {
        say!("  {}: {}", entry.name, entry.summary);
        fields(&(entry.defaults)(), 6);
    }
    say!("\nreports");
    for report in report::Report::all() {
        say!("  {}: {}", report.name(), report.title());
    }
}

/// Fields with their defaults, as a grid file would have them.
fn fields(defaults: &Value, indent: usize) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        let text = match value {
            Value::Object(_) => {
                say!("{:indent$}{name}:", "");
                fields(value, indent + 2);
                continue;
            }
            Value::String(text) => text.clone(),
            Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
            other => other.to_string(),
        };
        say!("{:indent$}{name}: {text}", "");
    }
}
