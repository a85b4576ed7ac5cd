//! One entry of a grid's attacks or probes: one of them, or several that differ in a list, e.g. `finetune: {lr: [1e-6, 1e-5]}`.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error};
use serde_json::{Map, Value};
use spec::yaml;

/// What an entry stands for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Sweep<S>(Vec<S>);

/// What all entries stand for, in their order.
pub fn all<S: Clone>(sweeps: &[Sweep<S>]) -> Vec<S> {
    sweeps
        .iter()
        .flat_map(|sweep| sweep.0.iter().cloned())
        .collect()
}

impl<'de, S: DeserializeOwned> Deserialize<'de> for Sweep<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = match Value::deserialize(deserializer)? {
            Value::Object(entry) => match entry.iter().next() {
                Some((name, Value::Object(fields))) if entry.len() == 1 => spell_out(fields)
                    .map_err(D::Error::custom)?
                    .into_iter()
                    .map(|fields| {
                        Value::Object(Map::from_iter([(name.clone(), Value::Object(fields))]))
                    })
                    .collect(),
                _ => vec![Value::Object(entry)],
            },
            other => vec![other],
        };
        all.iter()
            .map(|entry| read(entry).map_err(D::Error::custom))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// One mapping for each choice out of all lists among `fields`; the last list varies fastest.
fn spell_out(fields: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    let mut all = vec![fields.clone()];
    for (name, value) in fields {
        let Value::Array(items) = value else { continue };
        if items.is_empty() {
            return Err(format!(
                "`{name}` is an empty list; give at least one entry"
            ));
        }
        all = all
            .iter()
            .flat_map(|fields| {
                items.iter().map(|item| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), item.clone());
                    fields
                })
            })
            .collect();
    }
    Ok(all)
}

/// A single one. JSON is YAML, so the reader of grid files gives its own messages, hints included.
fn read<S: DeserializeOwned>(entry: &Value) -> Result<S, String> {
    yaml::parse("entry", &entry.to_string()).map_err(|error| match error.hint() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &str) -> Result<Sweep<attacks::Spec>, String> {
        yaml::parse("grid.yaml", text).map_err(|error| error.to_string())
    }

    fn lrs(text: &str) -> Vec<f64> {
        let entries = serde_json::to_value(sweep(text).unwrap()).unwrap();
        let lr = |entry: &Value| entry["finetune"]["lr"].as_f64().unwrap();
        entries.as_array().unwrap().iter().map(lr).collect()
    }

    #[test]
    fn a_list_is_one_attack_an_item() {
        assert_eq!(
            lrs("finetune: {lr: [0, 1e-10, 1e-5], steps: 3}"),
            [0.0, 1e-10, 1e-5]
        );
        assert_eq!(lrs("finetune: {lr: 1e-7}"), [1e-7]);
        assert_eq!(lrs("finetune"), [1e-5]);
    }

    #[test]
    fn two_lists_are_every_choice() {
        assert_eq!(
            lrs("finetune: {lr: [1e-6, 1e-5], steps: [1, 2]}"),
            [1e-6, 1e-6, 1e-5, 1e-5]
        );
    }

    #[test]
    fn mistakes_keep_their_hints() {
        let error = sweep("finetune: {lr: [1e-6, -1]}").unwrap_err();
        assert!(
            error.contains("`-1") && error.contains("0 or above"),
            "{error}"
        );
        let error = sweep("finetune: {learning_rat: 1}").unwrap_err();
        assert!(error.contains("unknown field `learning_rat`"), "{error}");
        let error = sweep("finetun").unwrap_err();
        assert!(error.contains("did you mean `finetune`"), "{error}");
        let error = sweep("finetune: {lr: []}").unwrap_err();
        assert!(error.contains("`lr` is an empty list"), "{error}");
    }
}
