//! Names of steps for people and for `--only`: as short as they can be while every step has its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;
use spec::checked::Repeats;
use spec::leaves;

/// The generator, and what tells generators of the same name apart.
pub fn generators(generators: &[generators::Spec]) -> Vec<String> {
    labels(
        generators
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// The attack, and what tells attacks of the same name apart.
pub fn attacks(attacks: &[attacks::Spec]) -> Vec<String> {
    labels(
        attacks
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// The probe, and what tells probes of the same name apart.
pub fn probes(probes: &[generators::probe::Spec]) -> Vec<String> {
    labels(
        probes
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// `label` for each of `count` seeds; a lone one needs no number.
pub fn seeded(label: &str, what: &str, count: Repeats) -> Vec<(u64, String)> {
    let count = count.get() as u64;
    let name = |seed| {
        if count == 1 {
            label.to_owned()
        } else {
            format!("{label}/{what}{seed}")
        }
    };
    (0..count).map(|seed| (seed, name(seed))).collect()
}

fn value(spec: &impl Serialize) -> Value {
    super::fields(spec).unwrap_or_default()
}

/// A specification by the dotted paths of its leaves.
type Leaves = BTreeMap<String, String>;

/// Each name, followed by what tells its bearers apart: one field if one is enough, else those of the fields in which they differ
/// that are not as most of them have it. A field that one of them lacks is said only where two would share a name otherwise.
fn labels(items: impl Iterator<Item = (String, Value)>) -> Vec<String> {
    let items: Vec<(String, Leaves)> = items
        .map(|(name, fields)| (name, leaves(&fields)))
        .collect();
    let mut bearers: HashMap<&str, Vec<&Leaves>> = HashMap::new();
    for (name, fields) in &items {
        bearers.entry(name).or_default().push(fields);
    }
    let told: HashMap<&str, Vec<Telling>> = bearers
        .iter()
        .map(|(name, peers)| (*name, telling(peers)))
        .collect();
    let label = |(name, fields): &(String, Leaves), absent: Option<&str>| {
        let paths = &told[name.as_str()];
        let said = paths
            .iter()
            .filter(|told| paths.len() == 1 || told.usual != Some(fields.get(told.path)));
        let parts = said.filter_map(|Telling { path, .. }| {
            let value = fields.get(*path).map(String::as_str).or(absent)?;
            Some(format!("{path}={value}"))
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() {
            name.clone()
        } else {
            format!("{name}/{}", parts.join(","))
        }
    };
    let short: Vec<String> = items.iter().map(|item| label(item, None)).collect();
    // Labels that items share which are not the same.
    let mut first: HashMap<&str, &(String, Leaves)> = HashMap::new();
    let mut shared: HashSet<&str> = HashSet::new();
    for (item, own) in items.iter().zip(&short) {
        if *first.entry(own).or_insert(item) != item {
            shared.insert(own);
        }
    }
    let unique = |(item, own): (&(String, Leaves), &String)| {
        if shared.contains(own.as_str()) {
            label(item, Some("unset"))
        } else {
            own.clone()
        }
    };
    items.iter().zip(&short).map(unique).collect()
}

/// A path that tells some specifications apart.
struct Telling<'a> {
    path: &'a String,
    /// What more of them have there than anything else; `Some(None)` if most have nothing.
    usual: Option<Option<&'a String>>,
}

/// The paths that tell `peers` apart.
fn telling<'a>(peers: &[&'a Leaves]) -> Vec<Telling<'a>> {
    let paths: BTreeSet<&String> = peers.iter().flat_map(|peer| peer.keys()).collect();
    let mut all = Vec::new();
    for path in paths {
        let mut counts: HashMap<Option<&String>, usize> = HashMap::new();
        for peer in peers {
            *counts.entry(peer.get(path)).or_default() += 1;
        }
        let most = counts.values().max().copied().unwrap_or_default();
        let mut most_have = counts.iter().filter(|(_, count)| **count == most);
        let usual = match (most_have.next(), most_have.next()) {
            (Some((value, _)), None) => Some(*value),
            _ => None,
        };
        let told = Telling { path, usual };
        if peers.len() > 1 && counts.len() == peers.len() {
            return vec![told];
        }
        if counts.len() > 1 {
            all.push(told);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_field_is_said_where_it_is_enough() {
        let items = [
            ("finetune".to_owned(), json!({"lr": 1e-10, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 0.0, "steps": 3})),
            ("prune".to_owned(), json!({"ratio": 0.5})),
        ];
        assert_eq!(
            labels(items.into_iter()),
            ["finetune/lr=1e-10", "finetune/lr=0", "prune"]
        );
    }

    #[test]
    fn all_that_differs_is_said_where_one_field_is_not_enough() {
        let item = |lr, steps| ("finetune".to_owned(), json!({"lr": lr, "steps": steps}));
        let items = [item(0.1, 1), item(0.1, 2), item(0.2, 1), item(0.2, 2)];
        let expected = [
            "finetune/lr=0.1,steps=1",
            "finetune/lr=0.1,steps=2",
            "finetune/lr=0.2,steps=1",
            "finetune/lr=0.2,steps=2",
        ];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_most_have_goes_without_saying() {
        let item = |start, alpha| ("ours".to_owned(), json!({"start": start, "alpha": alpha}));
        let items = [
            item("normal", 1e-6),
            item("uniform", 1e-6),
            item("normal", 1e-4),
            item("natural", 1e-4),
            item("normal", 1e-6),
        ];
        let expected = [
            "ours",
            "ours/start=uniform",
            "ours/alpha=1e-4",
            "ours/alpha=1e-4,start=natural",
            "ours",
        ];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_only_one_has_tells_two_apart() {
        let items = [
            ("resnet20".to_owned(), json!({"train": {"epochs": 1}})),
            ("resnet20".to_owned(), json!({"init": {"weights": "net"}})),
        ];
        let expected = ["resnet20", "resnet20/init.weights=net"];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_one_lacks_is_said_where_it_alone_tells_two_apart() {
        let items = [
            ("finetune".to_owned(), json!({"lr": 1e-5, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 1e-6, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 1e-5})),
        ];
        let expected = ["finetune", "finetune/lr=1e-6", "finetune/steps=unset"];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn a_lone_seed_has_no_number() {
        assert_eq!(
            seeded("ours", "set", Repeats::literal(1)),
            [(0, "ours".to_owned())]
        );
        assert_eq!(
            seeded("ours", "set", Repeats::literal(2))[1],
            (1, "ours/set1".to_owned())
        );
    }
}
