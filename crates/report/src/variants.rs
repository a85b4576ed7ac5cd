//! What tells records of the same name apart: groups of equal fields, named by the fields in which they differ.

use std::collections::BTreeMap;

use serde_json::Value;

/// The leaves of a specification by dotted path, without the fields named.
pub fn fields(spec: &Value, without: &[&str]) -> BTreeMap<String, String> {
    fn walk(value: &Value, path: &str, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, &format!("{path}{dot}{name}"), out);
                }
            }
            Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
            value => drop(out.insert(path.to_owned(), value.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    walk(spec, "", &mut out);
    out.retain(|path, _| !without.contains(&path.as_str()));
    out
}

/// Groups items of equal fields, and names each group by the fields in which the groups differ.
pub fn variants<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
) -> Vec<(String, Vec<T>)> {
    grouped(items, fields, |value, values| {
        values.iter().any(|other| *other != Some(value))
    })
}

/// As [`variants`], but a value that more groups have than any other goes without saying. The group that has all of those comes
/// first, without a name.
pub fn departures<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
) -> Vec<(String, Vec<T>)> {
    let mut groups = grouped(items, fields, |value, values| {
        let count = |of: Option<&String>| values.iter().filter(|other| **other == of).count();
        let own = count(Some(value));
        values
            .iter()
            .any(|other| *other != Some(value) && count(*other) >= own)
    });
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    groups
}

/// Groups items of equal fields. A group is named by those of its fields of which `say` is true: it is given the
/// group's value and those of all groups.
fn grouped<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
    say: impl Fn(&String, &[Option<&String>]) -> bool,
) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<T>> = BTreeMap::new();
    for item in items {
        groups.entry(fields(&item)).or_default().push(item);
    }
    let name = |fields: &BTreeMap<String, String>| {
        let said = fields.iter().filter(|(path, value)| {
            let values: Vec<_> = groups.keys().map(|fields| fields.get(*path)).collect();
            say(value, &values)
        });
        let parts: Vec<_> = said
            .map(|(path, value)| format!("{path} {value}"))
            .collect();
        parts.join(", ")
    };
    let names: Vec<_> = groups.keys().map(name).collect();
    names.into_iter().zip(groups.into_values()).collect()
}
