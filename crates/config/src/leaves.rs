//! The fields of a specification as text. Labels and tables use them to tell steps and records of one name apart.

use std::collections::BTreeMap;

use serde_json::Value;

/// The leaves of `spec`: from dotted path to value, written as in a grid file.
pub fn leaves(spec: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, path: String, out: &mut BTreeMap<String, String>) {
        let leaf = match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, format!("{path}{dot}{name}"), out);
                }
                return;
            }
            Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        out.insert(path, leaf);
    }
    let mut out = BTreeMap::new();
    walk(spec, String::new(), &mut out);
    out
}

/// A number written as in a grid file: `0`, `0.25`, `1e-10`.
pub fn plain(number: f64) -> String {
    if number == 0.0 || (1e-2..1e6).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}
