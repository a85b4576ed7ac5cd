//! What a specification says, field by field: how steps and records of the same name are told apart.

use std::collections::BTreeMap;

use serde_json::Value;

/// The leaves of a specification by dotted path, each as people write it in a grid.
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

/// A number as people write it in a grid: `0`, `0.25`, `1e-10`.
pub fn plain(number: f64) -> String {
    if number == 0.0 || (1e-2..1e6).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}
